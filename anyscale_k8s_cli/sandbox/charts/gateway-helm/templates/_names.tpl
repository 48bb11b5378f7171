{{- define "fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{ .Release.Name }}
{{- else -}}
{{ .Release.Name }}-{{ .Chart.Name }}
{{- end -}}
{{- end }}

{{- define "selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "labels" -}}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{ include "selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- /* An image given for the deployment wins over the global one; a registry replaces the host. */ -}}
{{- define "image" -}}
{{- $own := .Values.deployment.envoyGateway.image -}}
{{- if $own.repository -}}
{{ $own.repository }}:{{ $own.tag | default .Chart.AppVersion }}
{{- else if .Values.global.imageRegistry -}}
{{ .Values.global.imageRegistry }}/{{ regexReplaceAll "^[^/]+/" .Values.global.images.envoyGateway.image "" }}
{{- else -}}
{{ .Values.global.images.envoyGateway.image }}
{{- end -}}
{{- end }}

{{- define "ratelimit-image" -}}
{{- $image := .Values.global.images.ratelimit.image -}}
{{- if .Values.global.imageRegistry -}}
{{ .Values.global.imageRegistry }}/{{ regexReplaceAll "^[^/]+/" $image "" }}
{{- else -}}
{{ $image }}
{{- end -}}
{{- end }}

{{- define "pull" -}}
imagePullPolicy: {{ .Values.deployment.envoyGateway.imagePullPolicy | default .Values.global.images.envoyGateway.pullPolicy }}
{{- end }}

{{- define "pull-secrets" -}}
{{- $secrets := concat .Values.deployment.envoyGateway.imagePullSecrets .Values.global.images.envoyGateway.pullSecrets .Values.global.imagePullSecrets -}}
{{- with $secrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
{{- end }}
