#!/bin/sh
# usage: check-server-health.sh [-u URL] [-t SECONDS] [-q] [--details | --nagios]
# Asks a server whether it is healthy. Prints "Server is healthy", or "Server is unhealthy" and the response.
#   -u URL      the server, http://host:8080, or one of its health routes, http://host:8080/health/ready; without it the
#               variable SERVER_HEALTH_URL, otherwise http://localhost:$PORT, otherwise port 8080
#   -t SECONDS  the longest time for a response, 5 by default
#   -q          print nothing
#   --details   print the server's own tables: its dependencies, advice, and who asks
#   --nagios    print one line with the reasons, for Nagios and its relatives
# With --details and --nagios, the token in STATUS_TOKEN or in the file STATUS_TOKEN_FILE is sent, if one of them is set.
# Exit status: 0 healthy, 1 unhealthy or unreachable, 2 wrong usage, no client, token refused, another service.
# With --nagios: 0 OK, 1 WARNING: degraded, 2 CRITICAL: unhealthy or unreachable, 3 UNKNOWN: what is 2 without it.
# Requires awk and a client: curl, or timeout and the wget of GNU or BusyBox. The wget of BusyBox shows only the status
# line of an HTTP error, cannot send the token, and follows redirects. Proxies and the user's configuration are ignored.
set -eu
export LC_ALL=C # a character is a byte

fail() { # fail MESSAGE
  [ "$mode" != nagios ] || { printf 'UNKNOWN: %s\n' "$1"; exit 3; }
  printf 'check-server-health.sh: %s\n' "$1" >&2
  exit 2
}

request() { # request URL TYPE: prints the response with its head; BusyBox omits the head
  case $client in
    curl)
      printf '%s\n' "${token:+Authorization: Bearer $token}" |
        curl -q -sS -i --globoff --noproxy '*' -m "$seconds" -H "Accept: $2" -H @- "$1"
      ;;
    wget) # everybody can see its arguments; from a pipe it reads no header, but a URL with a password
      password=$(printf %s "$token" | od -An -v -tx1 | tr -d ' \n' | sed 's/../%&/g')
      printf '%s\n' "${1%%//*}//${password:+token:$password@}${1#*//}" |
        timeout "$seconds" wget --no-config --no-netrc --no-hsts --no-proxy --max-redirect=0 --tries=1 -qO- \
          --content-on-error --save-headers --auth-no-challenge --header "Accept: $2" -i -
      ;;
    busybox) timeout "$seconds" wget -Y off --header "Accept: $2" -qO- "$1" ;;
  esac
}

ask() { # ask URL TYPE: prints what to show; its exit status is the script's, or 8: another service, 9: no valid token
  { request "$@" && ended=0 || ended=$?; printf '\n%s\n' "$ended"; } 2>&1 |
    head -c 65536 | tr -d '\r' | tr -c ' -~\n' '?' |
    url=$1 client=$client mode=$mode seconds=$seconds awk "$judge"
}

# Reads a response and, in the line after it, the exit status of the client.
# shellcheck disable=SC2016 # awk's own dollars
judge='
function add(reason) {
  text = text (reasons++ ? ", " : ": ") reason
}
{ line[NR] = $0 }
END {
  url = ENVIRON["url"]; mode = ENVIRON["mode"]
  ended = line[NR]; last = NR - 1
  if (line[last] == "") last--
  first = line[1] ~ /^wget: note: / ? 2 : 1 # BusyBox does not validate certificates
  code = 200
  if (line[first] ~ /^HTTP\//) {
    do {
      split(line[first], word, " "); code = word[2]
      while (first <= last && line[first++] != "") continue
    } while (code ~ /^1/) # the response follows
    if (ENVIRON["client"] == "wget" && ended == 8) ended = 0 # an HTTP error
  } else if (ENVIRON["client"] == "wget" && ended ~ /^[68]$/) { # it shows nothing of 401 and of redirects
    code = ended == 6 ? 401 : 302; ended = 0
  } else if (line[last] ~ /^wget: server returned error: HTTP/) { # all that BusyBox shows of an HTTP error
    split(line[last], word, " "); code = word[6]; ended = 0
  }
  if (ended ~ /^(28|124|143)$/) cause = "no response from " url " within " ENVIRON["seconds"] " s"
  else if (ended !~ /^[0-9]+$/) cause = "the response of " url " is longer than 64 KiB"
  else if (ended != 0) cause = "cannot reach " url ": " (first > last ? "wget: exit status " ended : line[last])
  if (cause) { first = last = 1; line[1] = cause }

  json = line[first] ~ /^[{]"status": ?"(healthy|unhealthy|alive|ready|connected)"[,}]/
  table = first < last && line[first + 1] ~ /^DEPENDENCY /
  if (cause) verdict = "unhealthy"
  else if (table && match(line[first], / is (healthy|degraded|unhealthy)$/)) verdict = substr(line[first], RSTART + 4)
  else if (json && code ~ /^2/ && line[first] !~ /^[^,]*"unhealthy"/) verdict = "healthy"
  else if (json || code ~ /^5/ || mode == "health") verdict = "unhealthy"
  else if (code ~ /^40[13]$/) { print url " requires a token, and STATUS_TOKEN is not the right one"; exit 9 }
  else { print url " is another service: HTTP " code; exit 8 }

  if (mode == "nagios") {
    text = table || cause ? line[first] : json ? "server is " verdict : url ": HTTP " code
    if (table) for (i = first + 2; i <= last; i++) {
      if (line[i] ~ /^ / || ! match(line[i], / +disconnected: [a-z_]+/)) continue
      cell = substr(line[i], RSTART, RLENGTH); sub(/.*: /, "", cell)
      detail = line[i + 1] ~ /^ / ? " (" substr(line[i + 1], 3) ")" : ""
      add(substr(line[i], 1, RSTART - 1) " " cell detail)
    }
    count = split(line[first], member, /[{,]/)
    if (json) for (i = 1; i <= count; i++)
      if (split(member[i], quoted, "\"") > 3 && quoted[4] == "disconnected") add(quoted[2])
    gsub(/[|]/, "?", text) # for Nagios, a | ends the text
    if (verdict == "healthy") { print "OK: " text; exit 0 }
    if (verdict == "degraded") { print "WARNING: " text; exit 1 }
    print "CRITICAL: " text; exit 2
  }
  if (mode == "details" && table) while (first <= last) print line[first++]
  else if (verdict == "healthy") print "Server is healthy"
  else {
    printf "Server is unhealthy\nResponse: %s", line[first]
    while (first < last) printf " %s", line[++first]
  }
  exit verdict == "unhealthy"
}'

mode=health token='' token_file='' seconds=5 url=${SERVER_HEALTH_URL:-http://localhost:${PORT:-8080}}
case " $* " in *' --nagios '*) mode=nagios ;; esac # even if a mistake stands before it
while getopts :u:t:qh-: option; do
  case $option${OPTARG-} in
    u*) url=$OPTARG ;;
    t*) seconds=$OPTARG ;;
    q) exec >/dev/null ;;
    -details | -nagios) mode=$OPTARG token=${STATUS_TOKEN-} token_file=${STATUS_TOKEN_FILE-} ;;
    h | -help) sed -n '2,/^[^#]/s/^# //p' "$0" && exit ;;
    :*) fail "-$OPTARG requires a value" ;;
    *) fail "no option -$OPTARG; see --help" ;;
  esac
done
[ "$OPTIND" -gt $# ] || fail 'too many arguments; see --help'
case $url in *[!!-~]*) false ;; http://[!/]* | https://[!/]*) ;; *) false ;; esac ||
  fail 'a URL that begins with http:// or https:// is required, in printable ASCII'
case $seconds in *[!0-9.]* | *.*.* | *. | *.????* | ?????????*) false ;; *[1-9]*) ;; *) false ;; esac ||
  fail '-t requires a number of seconds above 0, with at most three decimals'
if [ -n "$token_file" ]; then
  [ -r "$token_file" ] || fail "cannot read STATUS_TOKEN_FILE, $token_file"
  token=$(head -n 1 "$token_file" | tr -d '\r')
fi
case $token in *[!!-~]*) fail 'STATUS_TOKEN contains more than printable ASCII' ;; esac
url=${url%/} base=${url%/}
case $url in
  *://*/health | *://*/healthz | *://*/livez | *://*/readyz) base=${url%/*} ;;
  *://*/health/*) base=${url%/health/*} ;;
  *) url=$url/health ;;
esac
command -v awk >/dev/null || fail 'awk must be installed'
if command -v curl >/dev/null; then
  client=curl
elif ! command -v wget >/dev/null || ! command -v timeout >/dev/null; then
  fail 'curl, or wget and timeout, must be installed'
else
  case $(wget --help 2>&1) in *--content-on-error*) client=wget ;; *) client=busybox ;; esac
fi
case $client$mode$token in
  busyboxdetails?*) fail 'the wget of BusyBox cannot send STATUS_TOKEN: install curl' ;;
  busybox*) token='' ;;
esac

status=0
case $mode in
  health) text=$(ask "$url" application/json) || status=$? ;;
  *) text=$(ask "$base/health/details" text/plain) || status=$? ;;
esac
if [ "$mode$status$token" = nagios9 ]; then
  status=0
  text=$(ask "$base/health" application/json) || status=$?
fi
case $status in 8 | 9) fail "$text" ;; esac
printf '%s\n' "$text"
exit "$status"
