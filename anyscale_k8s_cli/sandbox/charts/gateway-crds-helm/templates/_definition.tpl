{{- /*
One CustomResourceDefinition. Takes a dict: group, kind, plural, scope,
shortNames, annotations, versions (the first is stored), spec (a schema as text),
columns, statusless.
*/ -}}
{{- define "definition" -}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: {{ .plural }}.{{ .group }}
  {{- with .annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  group: {{ .group }}
  scope: {{ .scope | default "Namespaced" }}
  names:
    kind: {{ .kind }}
    listKind: {{ .kind }}List
    plural: {{ .plural }}
    singular: {{ lower .kind }}
    {{- with .shortNames }}
    shortNames: {{ toJson . }}
    {{- end }}
    {{- with .categories }}
    categories: {{ toJson . }}
    {{- end }}
  versions:
    {{- $spec := .spec }}
    {{- $columns := .columns }}
    {{- $status := not .statusless }}
    {{- range $index, $version := .versions }}
    - name: {{ $version }}
      served: true
      storage: {{ eq $index 0 }}
      {{- if $status }}
      subresources: {status: {}}
      {{- end }}
      {{- with $columns }}
      additionalPrinterColumns: {{ toJson . }}
      {{- end }}
      schema:
        openAPIV3Schema:
          type: object
          required: [spec]
          properties:
            apiVersion: {type: string}
            kind: {type: string}
            metadata: {type: object}
            spec: {{- $spec | nindent 14 }}
            {{- if $status }}
            status: {type: object, x-kubernetes-preserve-unknown-fields: true}
            {{- end }}
    {{- end }}
{{ end }}

{{- define "gateway-api-annotations" -}}
api-approved.kubernetes.io: https://github.com/kubernetes-sigs/gateway-api
gateway.networking.k8s.io/bundle-version: v1.4.1
gateway.networking.k8s.io/channel: {{ .Values.crds.gatewayAPI.channel }}
{{- end }}

{{- /* What a resource refers to by group, kind and name. */ -}}
{{- define "reference" -}}
type: object
required: [name]
properties:
  group: {type: string, maxLength: 253}
  kind: {type: string, maxLength: 63}
  name: {type: string, minLength: 1, maxLength: 253}
  namespace: {type: string, minLength: 1, maxLength: 63}
{{- end }}

{{- /* Deep parts that the sandbox has no use for are kept as they come. */ -}}
{{- define "anything" -}}
type: object
x-kubernetes-preserve-unknown-fields: true
{{- end }}
