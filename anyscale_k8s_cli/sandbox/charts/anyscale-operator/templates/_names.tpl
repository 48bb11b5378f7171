{{- define "labels" -}}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- /* Where the control plane answers; a trailing slash would double up in every path. */ -}}
{{- define "control-plane-url" -}}
{{- $url := .Values.global.controlPlaneURL | default "https://console.anyscale.com" -}}
{{- if hasSuffix "/" $url -}}
{{- fail (printf "global.controlPlaneURL must not end in a slash: %s" $url) -}}
{{- end -}}
{{- $url -}}
{{- end }}

{{- define "cloud-deployment-id" -}}
{{- required "global.cloudDeploymentId must be set" .Values.global.cloudDeploymentId -}}
{{- end }}

{{- define "operator-image" -}}
{{- with .Values.operator.container.image -}}
{{ if .registry }}{{ .registry }}/{{ end }}{{ .image }}:{{ .tag }}
{{- end -}}
{{- end }}

{{- /* Defaults win over additional types of the same name, as in the real chart. */ -}}
{{- define "instance-types" -}}
{{- $types := dict -}}
{{- if .Values.workloads.instanceTypes.enableDefaults -}}
{{- $types = deepCopy .Values.workloads.instanceTypes.defaults -}}
{{- end -}}
{{- toYaml (merge $types .Values.workloads.instanceTypes.additional) -}}
{{- end }}

{{- define "placement" -}}
{{- with .Values.operator.nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with .Values.operator.affinity }}
affinity: {{ toJson . }}
{{- end }}
{{- with .Values.operator.tolerations }}
tolerations: {{ toJson . }}
{{- end }}
{{- with .Values.operator.securityContext }}
securityContext: {{ toJson . }}
{{- end }}
{{- with .Values.operator.imagePullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
{{- end }}
