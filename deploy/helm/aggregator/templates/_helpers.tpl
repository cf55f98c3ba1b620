{{/* Names and labels. */}}
{{- define "aggregator.name" -}}
{{- $name := ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) (contains .Chart.Name .Release.Name) }}
{{- $name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "aggregator.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "aggregator.labels" -}}
{{ include "aggregator.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "aggregator.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* The variable of each secret; its file has the same name. */}}
{{- define "aggregator.variables" -}}
databaseUrl: AGGREGATOR_DATABASE_URL
brokerUrl: AGGREGATOR_BROKER_URL
secretKey: AGGREGATOR_SECRET_KEY
directDatabaseUrl: AGGREGATOR_DIRECT_DATABASE_URL
replicaUrl: AGGREGATOR_REPLICA_URL
rateStore: AGGREGATOR_RATE_STORE
xBearerToken: AGGREGATOR_X_BEARER_TOKEN
xClientSecret: AGGREGATOR_X_CLIENT_SECRET
youtubeApiKey: AGGREGATOR_YOUTUBE_API_KEY
oidcClientSecret: AGGREGATOR_OIDC_CLIENT_SECRET
proxy: AGGREGATOR_PROXY
webhookUrl: AGGREGATOR_WEBHOOK_URL
webhookSecret: AGGREGATOR_WEBHOOK_SECRET
mailServer: AGGREGATOR_MAIL_SERVER
{{- end }}

{{/* The secrets of a process that have a name: the three that all need, and its own. */}}
{{- define "aggregator.secrets" -}}
{{- $root := .root }}
{{- $found := list }}
{{- range concat (list "databaseUrl" "brokerUrl" "secretKey") .secrets }}
{{- if (index $root.Values.secrets .).name }}{{ $found = append $found . }}{{ end }}
{{- end }}
{{- $found | toJson }}
{{- end }}

{{- define "aggregator.environment" -}}
{{- $root := .root }}
{{- $variables := include "aggregator.variables" . | fromYaml }}
- { name: AGGREGATOR_DATA_DIR, value: /tmp }
- { name: AGGREGATOR_LISTEN, value: "0.0.0.0:8080" }
- { name: AGGREGATOR_LOG_FORMAT, value: json }
{{- if .portal }}
- { name: AGGREGATOR_CONFIG_DIR, value: /etc/aggregator/portal }
{{- end }}
# SIGTERM lets polls under way end (soft shutdown) instead of waiting for all that is reserved.
- { name: REMAP_SIGTERM, value: SIGQUIT }
{{- range include "aggregator.secrets" . | fromJsonArray }}
- { name: {{ index $variables . }}_FILE, value: /run/secrets/aggregator/{{ . }} }
{{- end }}
{{- $settings := $root.Values.settings }}
{{- if $root.Values.listener.enabled }}{{ $settings = merge (deepCopy $settings) (dict "AGGREGATOR_X_ACTIVITY" "yes") }}{{ end }}
{{- range $name, $value := $settings }}
{{- if ne (toString $value) "" }}
- { name: {{ $name }}, value: {{ $value | toString | quote }} }
{{- end }}
{{- end }}
{{- end }}

{{/* The health check of workers and the scheduler: the age of a file that the main process replaces every five seconds. */}}
{{- define "aggregator.heartbeat" -}}
startupProbe: # ten minutes for a database that is not there yet
  exec: &heartbeat
    command:
      - sh
      - -c
      - find "$AGGREGATOR_DATA_DIR" -maxdepth 1 -name "{{ . }}.alive" -newermt "60 seconds ago" | grep -q .
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 120
livenessProbe:
  exec: *heartbeat
  periodSeconds: 15
  timeoutSeconds: 5
  failureThreshold: 3
{{- end }}

{{/* The specification of a pod: root, component, command, secrets, resources, grace, portal and container (more of its fields). */}}
{{- define "aggregator.pod" -}}
{{- $root := .root }}
{{- $values := .root.Values }}
# Without these variables of Services: one would be taken for an unknown setting.
enableServiceLinks: false
automountServiceAccountToken: false
terminationGracePeriodSeconds: {{ .grace }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: { type: RuntimeDefault }
{{- with $values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{ include "aggregator.selector" . | nindent 8 }}
containers:
  - name: {{ .component }}
    image: {{ include "aggregator.image" $root | quote }}
    imagePullPolicy: {{ $values.image.pullPolicy }}
    command: {{ .command | toJson }}
    env: {{ include "aggregator.environment" . | nindent 6 }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: { drop: [ALL] }
    resources: {{ toYaml .resources | nindent 6 }}
    {{- with .container }}
    {{- . | nindent 4 }}
    {{- end }}
    volumeMounts:
      - { name: tmp, mountPath: /tmp }
      - { name: secrets, mountPath: /run/secrets/aggregator, readOnly: true }
      {{- if .portal }}
      - { name: portal, mountPath: /etc/aggregator/portal, readOnly: true }
      {{- end }}
volumes:
  - name: tmp
    emptyDir: { sizeLimit: 256Mi }
  - name: secrets
    projected:
      defaultMode: 0440
      sources:
        {{- range include "aggregator.secrets" . | fromJsonArray }}
        {{- $secret := index $values.secrets . }}
        - secret:
            name: {{ $secret.name }}
            items: [{ key: {{ $secret.key | quote }}, path: {{ . }} }]
        {{- end }}
  {{- if .portal }}
  - name: portal
    configMap: { name: {{ .portal }} }
  {{- end }}
{{- end }}

{{/* The ConfigMap of the portal's files, if there is one. */}}
{{- define "aggregator.portal" -}}
{{- if .Values.portal.existingConfigMap }}{{ .Values.portal.existingConfigMap }}
{{- else if .Values.portal.files }}{{ include "aggregator.name" . }}-portal{{ end }}
{{- end }}

{{/* A Deployment: as a pod, and replicas (none: something else decides). */}}
{{- define "aggregator.deployment" -}}
{{- $pod := merge (dict "portal" (include "aggregator.portal" .root)) . }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "aggregator.name" .root }}-{{ .component }}
  labels: {{ include "aggregator.labels" . | nindent 4 }}
spec:
  {{- if ne (toString .replicas) "" }}
  replicas: {{ .replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  strategy:
    type: RollingUpdate
    rollingUpdate: { maxUnavailable: 0, maxSurge: 1 }
  selector:
    matchLabels: {{ include "aggregator.selector" . | nindent 6 }}
  template:
    metadata:
      labels: {{ include "aggregator.labels" . | nindent 8 }}
      {{- with .root.Values.podAnnotations }}
      annotations: {{ toYaml . | nindent 8 }}
      {{- end }}
    spec: {{ include "aggregator.pod" $pod | nindent 6 }}
{{- end }}
