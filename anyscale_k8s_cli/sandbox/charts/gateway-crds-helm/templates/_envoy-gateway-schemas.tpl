{{- define "envoy-proxy-spec" -}}
type: object
properties:
  mergeGateways: {type: boolean}
  concurrency: {type: integer, format: int32}
  extraArgs: {type: array, items: {type: string}}
  bootstrap: {{- include "anything" . | nindent 4 }}
  backendTLS: {{- include "anything" . | nindent 4 }}
  logging: {{- include "anything" . | nindent 4 }}
  shutdown: {{- include "anything" . | nindent 4 }}
  telemetry: {{- include "anything" . | nindent 4 }}
  ipFamily: {type: string, enum: [IPv4, IPv6, DualStack]}
  provider:
    type: object
    required: [type]
    properties:
      type: {type: string, enum: [Kubernetes, Host]}
      kubernetes:
        type: object
        properties:
          envoyDeployment:
            type: object
            properties:
              name: {type: string}
              replicas: {type: integer, format: int32}
              strategy: {{- include "anything" . | nindent 16 }}
              patch: {{- include "anything" . | nindent 16 }}
              initContainers: {type: array, items: {{ include "anything" . | fromYaml | toJson }}}
              container: {{- include "anything" . | nindent 16 }}
              pod: {{- include "anything" . | nindent 16 }}
          envoyDaemonSet: {{- include "anything" . | nindent 12 }}
          envoyHpa: {{- include "anything" . | nindent 12 }}
          envoyPDB: {{- include "anything" . | nindent 12 }}
          envoyServiceAccount: {{- include "anything" . | nindent 12 }}
          useListenerPortAsContainerPort: {type: boolean}
          envoyService:
            type: object
            properties:
              name: {type: string}
              annotations: {type: object, additionalProperties: {type: string}}
              labels: {type: object, additionalProperties: {type: string}}
              type: {type: string, enum: [ClusterIP, LoadBalancer, NodePort], default: LoadBalancer}
              loadBalancerClass: {type: string}
              allocateLoadBalancerNodePorts: {type: boolean}
              loadBalancerSourceRanges: {type: array, items: {type: string}}
              loadBalancerIP: {type: string}
              externalTrafficPolicy: {type: string, enum: [Local, Cluster], default: Local}
              patch: {{- include "anything" . | nindent 16 }}
{{- end }}
