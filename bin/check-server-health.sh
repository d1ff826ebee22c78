#!/usr/bin/env bash
# usage: check-server-health.sh [-u URL] [-t SECONDS] [--details]
# Asks a server whether it is healthy (http://localhost:8080/health), for at most 5 seconds in total; -t sets another
# number above 0. Needs bash 4.4 and curl or wget; uses jq if it is installed. Proxies, redirects and the user's own
# configuration of curl and wget are ignored.
# With --details it asks URL/details, with STATUS_TOKEN if that is set, and prints a table of the dependencies and their
# reasons. This needs jq. The table is coloured on a terminal unless NO_COLOR is set.
# Prints "Server is healthy", or "Server is unhealthy" and "Response: " with the response as a line of printable ASCII.
# Exit status: 0 healthy: a 2xx status code, and one JSON object whose status is "healthy"
#              1 unhealthy, unreachable, late, not JSON or over 32 KiB (1 MiB with --details)
#              2 wrong usage, or neither curl nor wget is installed, or jq is missing for --details
set -euo pipefail
LC_ALL=C # lengths and [:print:] are about bytes

readonly USAGE='[-u URL] [-t SECONDS] [--details]'
limit=32768
url=http://localhost:8080/health
seconds=5
details=false

fail() {
  printf 'check-server-health.sh: %s\n' "$1" >&2
  exit 2
}

# is_healthy TEXT: whether it is one JSON object whose "status" is "healthy". Without jq, it refuses what this service
# never sends: a key with an escape, which could spell "status", and, to save time, more than 9 levels or 1000 tokens.
is_healthy() {
  if command -v jq >/dev/null; then
    jq -se 'length == 1 and (.[0] | type == "object" and .status == "healthy")' <<<"$1" >/dev/null 2>&1
    return
  fi
  local rest=$1 token='' last='' key='' status='' depth=0 parts=0
  local -a inside=('') # each open container's content: s for a string, v for any other value, and the punctuation
  local string='"[^"\[:cntrl:]]*(\\(["\/bfnrt]|u[[:xdigit:]]{4})[^"\[:cntrl:]]*)*"'
  local number='-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][-+]?[0-9]+)?'
  local next=$'^[ \t\r\n]*'"($string|$number|true|false|null|[][{}:,])"
  local container='^([{](s:[sv](,s:[sv])*)?[}]|[[]([sv](,[sv])*)?[]])$'
  # Usually the next few characters are enough; matching against the whole rest each time takes seconds.
  while ((parts++ < 1000)) && [[ ${rest:0:99} =~ $next && ${#BASH_REMATCH} -lt 99 || $rest =~ $next ]]; do
    token=${BASH_REMATCH[1]} rest=${rest:${#BASH_REMATCH}}
    case $token in
      '{' | '[')
        ((++depth < 10)) || return 1
        inside[depth]=$token
        ;;
      '}' | ']')
        [[ ${inside[depth]}$token =~ $container ]] || return 1
        depth=$((depth - 1))
        inside[depth]+=v
        ;;
      '"'*) inside[depth]+=s ;;
      : | ,) inside[depth]+=$token ;;
      *) inside[depth]+=v ;;
    esac
    if ((depth == 1)) && [[ $token == : ]]; then
      key=$last
      [[ $key != *\\* ]] || return 1
      [[ $key != '"status"' ]] || status='' # of two, the last one counts
    elif ((depth == 1)) && [[ $last == : && $key == '"status"' ]]; then
      status=$token
    fi
    last=$token
  done
  [[ $status == '"healthy"' && ${inside[0]} == v && $depth == 0 && $rest =~ ^[[:space:]]*$ ]]
}

# rows TEXT: prints one line for each dependency in the details, its cells separated by tabs; fails if TEXT has none.
rows() {
  jq -er '
    def span: if . >= 172800 then "\(. / 86400 | floor) d" elif . >= 7200 then "\(. / 3600 | floor) h"
      elif . >= 120 then "\(. / 60 | floor) min" else "\([., 0] | max | floor) s" end;
    .timestamp as $now | .checks | to_entries[] | .key as $name | .value | [
      $name, .status, .reason // "-", (($now - .since) / 1000 | span),
      if .last_success then ($now - .last_success) / 1000 | span + " ago" else "never" end,
      if .latency_ms then "\(.latency_ms * 10 | round / 10) ms" else "-" end
    ] | @tsv' <<<"$1" 2>/dev/null
}

# table ROWS: prints the rows in columns under a heading, the state in colour on a terminal.
table() {
  local -a widths=(0 0 0 0 0 0) cells
  local row cell column colour line
  local all=$'DEPENDENCY\tSTATE\tREASON\tFOR\tLAST SUCCESS\tLATENCY\n'${1//[^[:print:]$'\t\n']/?}
  while IFS=$'\t' read -r -a cells; do
    for column in "${!widths[@]}"; do
      cell=${cells[column]-}
      ((${#cell} <= widths[column])) || widths[column]=${#cell}
    done
  done <<<"$all"
  while IFS= read -r row; do
    IFS=$'\t' read -r -a cells <<<"$row"
    line=
    for column in "${!widths[@]}"; do
      printf -v cell '%-*s' "${widths[column]}" "${cells[column]-}"
      if [[ $column == 1 && -t 1 && -z ${NO_COLOR-} ]]; then
        colour=
        [[ $cell != connected* ]] || colour=$'\e[32m'
        [[ $cell != disconnected* ]] || colour=$'\e[31m'
        [[ -z $colour ]] || cell=$colour$cell$'\e[0m'
      fi
      line+="${line:+  }$cell"
    done
    printf '%s\n' "${line%"${line##*[! ]}"}"
  done <<<"$all"
}

while getopts :u:t:h-: option; do
  case $option in
    u) url=$OPTARG ;;
    t) seconds=$OPTARG ;;
    -)
      [[ $OPTARG == details ]] || fail "no option --$OPTARG; usage: $USAGE"
      details=true
      ;;
    h) echo "usage: check-server-health.sh $USAGE" && exit ;;
    :) fail "-$OPTARG requires a value" ;;
    *) fail "no option -$OPTARG; usage: $USAGE" ;;
  esac
done
((OPTIND > $#)) || fail "too many arguments; usage: $USAGE"
[[ $url =~ ^https?://[^[:space:][:cntrl:]]+$ ]] || fail '-u requires a URL that begins with http:// or https://'
[[ $seconds =~ ^([0-9]{1,9}([.][0-9]+)?|[.][0-9]+)$ && $seconds =~ ^[0-9]*[1-9]|[.][0-9]{0,5}[1-9] ]] ||
  fail '-t requires a number of seconds above 0'

token=
if [[ $details == true ]]; then
  command -v jq >/dev/null || fail '--details requires jq'
  url=${url%/}/details
  limit=1048576
  token=${STATUS_TOKEN-}
  [[ $token =~ ^[!-~]*$ ]] || fail 'STATUS_TOKEN contains more than printable ASCII'
fi
secret='' # goes to the client's standard input, because everybody can see its arguments
if command -v curl >/dev/null; then
  client=(curl -q -s --globoff --noproxy '*' -w '\n%{http_code}' ${token:+-K -} "$url")
  secret=${token//\\/\\\\}
  secret="header = \"Authorization: Bearer ${secret//\"/\\\"}\""
elif ! command -v wget >/dev/null; then
  fail 'neither curl nor wget is installed'
elif [[ $(wget --help 2>&1) == *--content-on-error* ]]; then
  client=(wget --no-config --no-netrc --no-hsts --no-proxy --max-redirect=0 --tries=1 --content-on-error -qO-)
  if [[ -n $token ]]; then # wget cannot read a header from a pipe, but a URL with a password
    for ((i = 0; i < ${#token}; i++)); do
      printf -v secret '%s%%%02X' "$secret" "'${token:i:1}"
    done
    secret=${url%%//*}//token:$secret@${url#*//}
    client+=(--auth-no-challenge -i -)
  else
    client+=("$url")
  fi
else # BusyBox: prints no body of an error, and accepts a header only as an argument
  client=(wget -Y off ${token:+--header "Authorization: Bearer $token"} -qO- "$url")
fi

# wget limits the time of each read, not the total: `read` limits time and size for every client.
exec 3< <(exec "${client[@]}" < <([[ -z $token ]] || printf '%s\n' "$secret") 2>/dev/null)
pid=$!
trap 'kill "$pid" 2>/dev/null || true' EXIT
success=false problem='' ended=0
IFS= read -r -d '' -n "$((limit + 4))" -t "$seconds" body <&3 || ended=$? # 4: curl's line with the status code
if ((ended > 128)); then
  problem="not complete within $seconds s"
elif ((ended == 0)); then # there is more than the limit, or a NUL
  problem="not text, or over $((limit / 1024)) KiB"
else
  status=0
  wait "$pid" || status=$?
  if [[ ${client[0]} == curl ]]; then
    [[ ${body##*$'\n'} != 2?? ]] || success=true
    body=${body%$'\n'*}
  elif ((status == 8)); then # how wget reports an HTTP error
    status=0
  else
    success=true
  fi
  ((status == 0)) || problem="${client[0]}: exit status $status"
fi

status=1 verdict=unhealthy
if [[ $success == true && -z $problem ]] && is_healthy "$body"; then
  status=0 verdict=healthy
fi
if [[ $details == true && -z $problem ]]; then
  if found=$(rows "$body"); then
    echo "Server is $verdict"
    table "$found"
    exit "$status"
  fi
  problem='no details'
elif [[ $details == false && $verdict == healthy ]]; then
  echo 'Server is healthy'
  exit 0
fi
shown=${body//[$'\t\r\n']/ }
shown=${shown//[^[:print:]]/?} # no control characters for the terminal
shown=${shown%"${shown##*[! ]}"}
[[ -z $problem ]] || shown+="${shown:+ }($problem)"
printf 'Server is unhealthy\nResponse: %s\n' "$shown"
exit 1
