{{- define "gateway-class-spec" -}}
type: object
required: [controllerName]
properties:
  controllerName:
    type: string
    pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/[A-Za-z0-9\/\-._~%!$&''()*+,;=:]+$'
  description: {type: string, maxLength: 64}
  parametersRef: {{- include "reference" . | nindent 4 }}
{{- end }}

{{- define "gateway-spec" -}}
type: object
required: [gatewayClassName, listeners]
properties:
  gatewayClassName: {type: string, minLength: 1, maxLength: 253}
  addresses:
    type: array
    maxItems: 16
    items:
      type: object
      properties:
        type: {type: string, default: IPAddress}
        value: {type: string}
  infrastructure:
    type: object
    properties:
      annotations: {type: object, additionalProperties: {type: string}}
      labels: {type: object, additionalProperties: {type: string}}
      parametersRef:
        type: object
        required: [group, kind, name]
        properties:
          group: {type: string}
          kind: {type: string}
          name: {type: string}
  listeners:
    type: array
    minItems: 1
    maxItems: 64
    x-kubernetes-list-type: map
    x-kubernetes-list-map-keys: [name]
    items:
      type: object
      required: [name, port, protocol]
      properties:
        name: {type: string, minLength: 1, maxLength: 253}
        hostname:
          type: string
          minLength: 1
          maxLength: 253
          pattern: '^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'
        port: {type: integer, format: int32, minimum: 1, maximum: 65535}
        protocol: {type: string, minLength: 1, maxLength: 255}
        tls:
          type: object
          properties:
            mode: {type: string, enum: [Terminate, Passthrough], default: Terminate}
            options: {type: object, additionalProperties: {type: string}}
            certificateRefs:
              type: array
              maxItems: 64
              items:
                type: object
                required: [name]
                properties:
                  group: {type: string, default: ""}
                  kind: {type: string, default: Secret}
                  name: {type: string, minLength: 1, maxLength: 253}
                  namespace: {type: string, minLength: 1, maxLength: 63}
        allowedRoutes:
          type: object
          default: {namespaces: {from: Same}}
          properties:
            kinds:
              type: array
              items:
                type: object
                required: [kind]
                properties:
                  group: {type: string, default: gateway.networking.k8s.io}
                  kind: {type: string}
            namespaces:
              type: object
              default: {from: Same}
              properties:
                from: {type: string, enum: [All, Selector, Same], default: Same}
                selector: {{- include "anything" . | nindent 18 }}
{{- end }}

{{- define "route-spec" -}}
type: object
properties:
  parentRefs:
    type: array
    maxItems: 32
    items:
      type: object
      required: [name]
      properties:
        group: {type: string, default: gateway.networking.k8s.io}
        kind: {type: string, default: Gateway}
        name: {type: string, minLength: 1, maxLength: 253}
        namespace: {type: string, minLength: 1, maxLength: 63}
        sectionName: {type: string, minLength: 1, maxLength: 253}
        port: {type: integer, format: int32, minimum: 1, maximum: 65535}
  hostnames:
    type: array
    maxItems: 16
    items: {type: string, minLength: 1, maxLength: 253}
  rules:
    type: array
    maxItems: 16
    items: {{- include "anything" . | nindent 6 }}
{{- end }}

{{- define "reference-grant-spec" -}}
type: object
required: [from, to]
properties:
  from:
    type: array
    minItems: 1
    maxItems: 16
    items:
      type: object
      required: [group, kind, namespace]
      properties:
        group: {type: string}
        kind: {type: string}
        namespace: {type: string}
  to:
    type: array
    minItems: 1
    maxItems: 16
    items:
      type: object
      required: [group, kind]
      properties:
        group: {type: string}
        kind: {type: string}
        name: {type: string}
{{- end }}
