{{- define "packshot.labels" -}}
app.kubernetes.io/name: packshot
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "packshot.selector" -}}
app.kubernetes.io/name: packshot
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "packshot.name" -}}
{{ .root.Release.Name }}-{{ .component }}
{{- end }}

{{/* An image by its digest or, where none is said, by its tag. */}}
{{- define "packshot.image" -}}
{{- $image := ternary .root.Values.gpu.image .root.Values.image (gt (int .gpus) 0) -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "packshot.cdn" -}}
{{- .Values.storage.cdn | required "storage.cdn is the public URL of the origin" -}}
{{- end }}
