{{/*
What every container of ours is told. `role` is the name of its Kafka user, `drain` the seconds of a worker's.
*/}}
{{- define "packshot.env" -}}
{{- $values := .root.Values -}}
- {name: PACKSHOT_KAFKA_BOOTSTRAP_SERVERS, value: {{ $values.kafka.bootstrapServers | quote }}}
- {name: PACKSHOT_KAFKA_SECURITY_PROTOCOL, value: {{ $values.kafka.protocol }}}
- {name: PACKSHOT_KAFKA_REPLICATION, value: {{ $values.kafka.replication | quote }}}
- {name: PACKSHOT_KAFKA_PARTITIONS, value: {{ $values.kafka.partitions | quote }}}
{{- if hasPrefix "SASL" $values.kafka.protocol }}
- {name: PACKSHOT_KAFKA_SASL_MECHANISM, value: {{ $values.kafka.mechanism }}}
{{- if eq $values.kafka.mechanism "OAUTHBEARER" }}
- {name: PACKSHOT_KAFKA_OAUTH_TOKEN_URL, value: {{ $values.kafka.oauth.tokenUrl | required "kafka.oauth.tokenUrl is where OAUTHBEARER has its tokens from" | quote }}}
- {name: PACKSHOT_KAFKA_OAUTH_CLIENT_ID, value: {{ $values.kafka.userPrefix }}{{ .role }}}
- {name: PACKSHOT_KAFKA_OAUTH_CLIENT_SECRET_FILE, value: /run/secrets/packshot/kafka/password}
{{- with $values.kafka.oauth.scope }}
- {name: PACKSHOT_KAFKA_OAUTH_SCOPE, value: {{ . | quote }}}
{{- end }}
{{- if $values.kafka.oauth.ca.name }}
- {name: PACKSHOT_KAFKA_OAUTH_CA_FILE, value: /run/secrets/packshot/oauth-ca/ca.crt}
{{- end }}
{{- else }}
- {name: PACKSHOT_KAFKA_SASL_USERNAME, value: {{ $values.kafka.userPrefix }}{{ .role }}}
- {name: PACKSHOT_KAFKA_SASL_PASSWORD_FILE, value: /run/secrets/packshot/kafka/password}
{{- end }}
{{- end }}
{{- if $values.kafka.ca.name }}
- {name: PACKSHOT_KAFKA_SSL_CA_FILE, value: /run/secrets/packshot/kafka-ca/ca.crt}
{{- end }}
- {name: PACKSHOT_DATABASE_URL_FILE, value: /run/secrets/packshot/database/url}
{{- if $values.secrets.sealing.name }}
- {name: PACKSHOT_SECRETS_KEYS_FILE, value: /run/secrets/packshot/sealing/keys}
{{- end }}
- {name: PACKSHOT_BLOBS_URL, value: {{ $values.storage.blobs | quote }}}
- {name: PACKSHOT_ORIGIN_URL, value: {{ $values.storage.origin | quote }}}
- {name: PACKSHOT_CDN_BASE_URL, value: {{ include "packshot.cdn" .root | quote }}}
{{- with $values.storage.endpoint }}
- {name: PACKSHOT_S3_ENDPOINT, value: {{ . | quote }}}
{{- end }}
{{- with $values.storage.region }}
- {name: AWS_DEFAULT_REGION, value: {{ . | quote }}}
{{- end }}
{{- if $values.secrets.s3.name }}
- {name: AWS_SHARED_CREDENTIALS_FILE, value: /run/secrets/packshot/s3/credentials}
{{- end }}
- {name: PACKSHOT_PROVISIONING, value: {{ ternary "command" "roles" $values.provision.enabled }}}
- {name: PACKSHOT_METRICS_PORT, value: {{ $values.metrics.port | quote }}}
{{- if hasKey . "drain" }}
- {name: PACKSHOT_DRAIN_S, value: {{ .drain | quote }}}
# Libraries count the node's cores; these are the container's own.
{{- range list "OMP_NUM_THREADS" "OPENBLAS_NUM_THREADS" "NUMBA_NUM_THREADS" "VIPS_CONCURRENCY" }}
- {name: {{ . }}, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}
{{- end }}
{{- else }}
- {name: NUMBA_CACHE_DIR, value: /tmp/numba}
{{- end }}
{{- if eq .component "publisher" }}
{{- if $values.secrets.signing.name }}
- {name: PACKSHOT_SIGNING_CERTIFICATES, value: /run/secrets/packshot/signing/tls.crt}
- {name: PACKSHOT_SIGNING_KEY, value: /run/secrets/packshot/signing/tls.key}
{{- end }}
{{- end }}
{{- if eq .component "gateway" }}
- {name: PACKSHOT_GATEWAY_HOST, value: 0.0.0.0}
{{- with $values.gateway.url }}
- {name: PACKSHOT_GATEWAY_BASE_URL, value: {{ . | quote }}}
{{- end }}
{{- end }}
{{- if eq .component "scaler" }}
- {name: PACKSHOT_SCALER_HOST, value: 0.0.0.0}
{{- end }}
{{- range $name, $value := $values.settings }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}

{{- define "packshot.mounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: data, mountPath: /var/lib/packshot}
- {name: database, mountPath: /run/secrets/packshot/database, readOnly: true}
{{- range $name := include "packshot.secrets" . | fromJsonArray }}
- {name: {{ $name }}, mountPath: /run/secrets/packshot/{{ $name }}, readOnly: true}
{{- end }}
{{- if hasKey . "drain" }}
- {name: cache, mountPath: /var/cache/packshot}
{{- end }}
{{- end }}

{{/* The volumes of secrets that there are, beside the database's. */}}
{{- define "packshot.secrets" -}}
{{- $values := .root.Values -}}
{{- $names := list -}}
{{- if hasPrefix "SASL" $values.kafka.protocol }}{{ $names = append $names "kafka" }}{{ end -}}
{{- if $values.kafka.ca.name }}{{ $names = append $names "kafka-ca" }}{{ end -}}
{{- if and $values.kafka.oauth.ca.name (eq $values.kafka.mechanism "OAUTHBEARER") (has "kafka" $names) }}{{ $names = append $names "oauth-ca" }}{{ end -}}
{{- if $values.secrets.sealing.name }}{{ $names = append $names "sealing" }}{{ end -}}
{{- if $values.secrets.s3.name }}{{ $names = append $names "s3" }}{{ end -}}
{{- if and $values.secrets.signing.name (eq .component "publisher") }}{{ $names = append $names "signing" }}{{ end -}}
{{ toJson $names }}
{{- end }}

{{- define "packshot.volumes" -}}
{{- $values := .root.Values -}}
{{- $names := include "packshot.secrets" . | fromJsonArray -}}
- {name: tmp, emptyDir: {sizeLimit: 2Gi}}
- {name: data, emptyDir: {sizeLimit: 2Gi}}
{{- if hasKey . "drain" }}
{{- if .claim }}
- {name: cache, persistentVolumeClaim: {claimName: {{ .claim }}}}
{{- else }}
- {name: cache, emptyDir: {sizeLimit: 4Gi}}
{{- end }}
{{- end }}
- {name: database, secret: {secretName: {{ $values.secrets.database.name }}, items: [{key: {{ $values.secrets.database.key }}, path: url}]}}
{{- if has "kafka" $names }}
- {name: kafka, secret: {secretName: {{ $values.kafka.userPrefix }}{{ .role }}, items: [{key: {{ $values.kafka.passwordKey }}, path: password}]}}
{{- end }}
{{- if has "kafka-ca" $names }}
- {name: kafka-ca, secret: {secretName: {{ $values.kafka.ca.name }}, items: [{key: {{ $values.kafka.ca.key }}, path: ca.crt}]}}
{{- end }}
{{- if has "oauth-ca" $names }}
- {name: oauth-ca, secret: {secretName: {{ $values.kafka.oauth.ca.name }}, items: [{key: {{ $values.kafka.oauth.ca.key }}, path: ca.crt}]}}
{{- end }}
{{- if has "sealing" $names }}
- {name: sealing, secret: {secretName: {{ $values.secrets.sealing.name }}, items: [{key: {{ $values.secrets.sealing.key }}, path: keys}]}}
{{- end }}
{{- if has "s3" $names }}
- {name: s3, secret: {secretName: {{ $values.secrets.s3.name }}, items: [{key: {{ $values.secrets.s3.key }}, path: credentials}]}}
{{- end }}
{{- if has "signing" $names }}
- {name: signing, secret: {secretName: {{ $values.secrets.signing.name }}, items: [{key: {{ $values.secrets.signing.certificates }}, path: tls.crt}, {key: {{ $values.secrets.signing.key }}, path: tls.key}]}}
{{- end }}
{{- end }}

{{- define "packshot.podSecurity" -}}
securityContext: {runAsNonRoot: true, runAsUser: 10001, runAsGroup: 10001, fsGroup: 10001, fsGroupChangePolicy: OnRootMismatch, seccompProfile: {type: RuntimeDefault}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
{{- end }}

{{- define "packshot.security" -}}
securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
{{- end }}

{{/* A new cache begins with what the image has: weights and compiled kernels. */}}
{{- define "packshot.seed" -}}
- name: cache
  image: {{ include "packshot.image" . | quote }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  command: [sh, -c, "cp -rn /var/cache/packshot/. /cache/"]
  {{- include "packshot.security" . | nindent 2 }}
  resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 256Mi}}
  volumeMounts: [{name: cache, mountPath: /cache}]
{{- end }}

{{- define "packshot.probes" -}}
startupProbe: {httpGet: {path: /startupz, port: metrics}, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: {{ mul .startMinutes 6 }}}
livenessProbe: {httpGet: {path: /livez, port: metrics}, periodSeconds: 15, timeoutSeconds: 5, failureThreshold: 4}
readinessProbe: {httpGet: {path: /readyz, port: metrics}, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 2}
{{- end }}

{{- define "packshot.spread" -}}
topologySpreadConstraints:
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    matchLabelKeys: [pod-template-hash]
    labelSelector: {matchLabels: {{ include "packshot.selector" $ | fromYaml | toJson }}}
{{- end }}
{{- end }}
