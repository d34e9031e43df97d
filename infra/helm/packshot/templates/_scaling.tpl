{{/*
A ScaledObject that does as the scaler says. The scaler holds a number for as long as a start takes, so nobody else does:
the HPA goes down at once, and KEDA ends the last replica at once. While the scaler is away what is there stays.
*/}}
{{- define "packshot.byScaler" -}}
{{- $name := trimPrefix "worker-" .component -}}
{{- $its := get .root.Values.workers $name -}}
{{- $besides := 0 -}}
{{- range $other, $theirs := .root.Values.workers }}
{{- if and (ne $other $name) (eq $theirs.pool $its.pool) }}
{{- if $theirs.autoscaling.enabled }}{{ fail (printf "workers.%s and workers.%s: the scaler has one number for a pool, so one of its workers may autoscale" $name $other) }}{{ end }}
{{- $besides = add $besides $theirs.replicas }}
{{- end }}
{{- end }}
cooldownPeriod: 0
fallback: {failureThreshold: 4, replicas: {{ max 1 $its.autoscaling.min }}, behavior: currentReplicasIfHigher}
advanced:
  horizontalPodAutoscalerConfig:
    behavior:
      scaleUp: {stabilizationWindowSeconds: 0, policies: [{type: Percent, value: 900, periodSeconds: 15}, {type: Pods, value: 10, periodSeconds: 15}]}
      scaleDown: {stabilizationWindowSeconds: 0}
triggers:
  - type: external-push
    name: scaler
    metricType: AverageValue
    metadata:
      scalerAddress: {{ printf "%s-scaler.%s.svc:8090" .root.Release.Name .root.Release.Namespace | quote }}
      pool: {{ $its.pool }}
      besides: {{ $besides | quote }}
{{- end }}
