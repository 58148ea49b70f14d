# Needs sh, curl, sed, tr, grep. Halts the trader; stops, cancels, then removes every
# deployment of the service until the platform lists none twice; deploy-on-push off.
# Exit: 0 none is listed and the trader said that it is halted; 7 anything less:
# something may still run; 2 nothing could be asked.
set +e -u
say() { printf '%s\n' "$*"; }

# Without the characters that would end a JSON text or a line.
plain() { printf '%s' "$1" | LC_ALL=C tr -d '\000-\037\042\134\177'; }

# The value of a member of a JSON answer: member NAME
member() { tr -d ' \n\r\t' | sed -n 's/.*"'"$1"'":"\([A-Za-z0-9_-]*\)".*/\1/p'; }

# One request to the platform: ask OPERATION JSON. The token stays out of `ps`.
ask() {
  if [ -n "${RAILWAY_TOKEN:-}" ]; then
    auth="Project-Access-Token: $(plain "$RAILWAY_TOKEN")"
  else
    auth="Authorization: Bearer $(plain "${RAILWAY_API_TOKEN:-}")"
  fi
  printf 'header = "%s"\n' "$auth" | curl -q -K - -sS -m 10 -A launch-kill/curl \
    -H 'Content-Type: application/json' --data-binary "$2" "$ENDPOINT?query=$1"
}

# Whether the trader says that it is halted: its ledger keeps that over restarts.
halt() {
  [ -n "${TRADER_URL:-}" ] && [ -n "${LAUNCH_HALT_TOKEN:-}" ] || return 1
  printf 'header = "Authorization: Bearer %s"\n' "$(plain "$LAUNCH_HALT_TOKEN")" |
    curl -q -K - -sS -m 10 -A launch-kill/curl -H 'Content-Type: application/json' \
    --data-binary '{"reason":"'"$(plain "${REASON:-stopped with curl}")"'","by":"curl","reduce_only":'"${REDUCE_ONLY:-false}"'}' \
    "${TRADER_URL%/}/halt" | tr -d ' \n\r\t' | grep '"halted":true' >/dev/null
}

list() {
  ask DeploymentIds '{"operationName":"DeploymentIds","variables":{"input":{"environmentId":"'"$ENVIRONMENT_ID"'","serviceId":"'"$SERVICE_ID"'","status":{"notIn":["REMOVED","FAILED","SKIPPED"]}}},"query":"query DeploymentIds($input: DeploymentListInput!) { deployments(input: $input, first: 100) { edges { node { id status } } } }"}'
}
stop() {
  ask DeploymentStop '{"operationName":"DeploymentStop","variables":{"id":"'"$1"'"},"query":"mutation DeploymentStop($id: String!) { deploymentStop(id: $id) }"}'
}
cancel() {
  ask DeploymentCancel '{"operationName":"DeploymentCancel","variables":{"id":"'"$1"'"},"query":"mutation DeploymentCancel($id: String!) { deploymentCancel(id: $id) }"}'
}
remove() {
  ask DeploymentRemove '{"operationName":"DeploymentRemove","variables":{"id":"'"$1"'"},"query":"mutation DeploymentRemove($id: String!) { deploymentRemove(id: $id) }"}'
}
push_off() {
  ask AutoDeployUpdate '{"operationName":"AutoDeployUpdate","variables":{"input":{"enabled":false,"projectId":"'"$PROJECT_ID"'","environmentId":"'"$ENVIRONMENT_ID"'","serviceId":"'"$SERVICE_ID"'"}},"query":"mutation AutoDeployUpdate($input: ServiceInstanceAutoDeployUpdateInput!) { serviceInstanceAutoDeployUpdate(input: $input) { enabled } }"}'
}
scope() {
  ask ProjectToken '{"operationName":"ProjectToken","variables":{},"query":"query ProjectToken { projectToken { projectId environmentId } }"}'
}

if [ "${REDUCE_ONLY:-false}" = true ]; then
  if halt; then say 'halted: entries off, exits on; it keeps running'; exit 0; fi
  say 'the trader did not say that its entries are off (TRADER_URL, LAUNCH_HALT_TOKEN?)'
  exit 7
fi
halt &
halting=$!
if [ -z "${RAILWAY_TOKEN:-}${RAILWAY_API_TOKEN:-}" ] || [ -z "${SERVICE_ID:-}" ]; then
  say 'cannot ask the platform: set RAILWAY_TOKEN (a project token) and SERVICE_ID'
  wait "$halting" && { say 'the trader says that it is halted; nothing else is known'; exit 7; }
  exit 2
fi
if [ -n "${DEPLOYMENT_ID:-}" ]; then
  say "stop $DEPLOYMENT_ID: $(stop "$DEPLOYMENT_ID" 2>&1)"
fi
if [ -z "${ENVIRONMENT_ID:-}" ]; then
  told=$(scope)
  ENVIRONMENT_ID=$(say "$told" | member environmentId)
  PROJECT_ID=$(say "$told" | member projectId)
fi
[ -z "${PROJECT_ID:-}" ] || say "deploy on push off: $(push_off 2>&1)"

round=0
empty=0
while [ "$round" -lt 20 ] && [ "$empty" -lt 2 ]; do
  round=$((round + 1))
  [ "$round" -eq 1 ] || sleep 2
  answer=$(list 2>&1 | tr -d ' \n\r\t')
  ids=$(say "$answer" | tr '{' '\n' | sed -n 's/^"id":"\([A-Za-z0-9_-]*\)".*/\1/p')
  for id in $ids; do
    if [ "$round" -eq 1 ]; then
      say "stop $id: $(stop "$id" 2>&1)"
      say "cancel $id: $(cancel "$id" 2>&1)"
    else
      say "remove $id: $(remove "$id" 2>&1)"
    fi
  done
  case $answer in
    *'"errors"'*) empty=0; say "the platform says: $answer" ;;
    *'"deployments":{"edges":[]}'*) empty=$((empty + 1)) ;;
    *'"edges":['*) empty=0 ;;
    *) empty=0; say "no usable answer: $answer" ;;
  esac
done

halted=no
wait "$halting" && halted=yes
if [ "$empty" -ge 2 ] && [ "$halted" = yes ]; then
  say 'STOPPED: the platform lists nothing live, and the trader said that it is halted'
  exit 0
fi
if [ "$empty" -ge 2 ]; then
  say 'NOT PROVED: only the platform says that nothing is live; the trader said nothing'
else
  say 'NOT STOPPED: the platform does not say that nothing is live'
fi
say 'look at the dashboard and at the orders on the venue; run it again'
exit 7
