{{- define "spt.selector" -}}
app.kubernetes.io/name: spt
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "spt.labels" -}}
{{ include "spt.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "spt.claim" -}}
{{ .Values.store.existingClaim | default (printf "%s-store" .Release.Name) }}
{{- end }}

{{- /* Mean seconds that rows of this release wait for the device. */ -}}
{{- define "spt.queueSeconds" -}}
{{- $which := printf "phase=\"queue\", namespace=\"%s\", pod=~\"%s-.+\"" .Release.Namespace .Release.Name -}}
sum(rate(spt_phase_seconds_sum{ {{- $which -}} }[1m])) / clamp_min(sum(rate(spt_phase_seconds_count{ {{- $which -}} }[1m])), 0.001)
{{- end }}
