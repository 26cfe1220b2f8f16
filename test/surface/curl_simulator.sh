#!/usr/bin/env bash
# Lists, creates, reads, changes and deletes one of each resource with curl against ccloud-simulator.
#   curl_simulator.sh <ccloud-simulator>
# Ends with 77 where there is no curl.
set -euo pipefail

simulator=$1
command -v curl >/dev/null || exit 77

work=$(mktemp -d)
pid=
finish()
{
    if [[ -n $pid ]]; then
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    fi
    rm -rf -- "$work"
}
trap finish EXIT

: >"$work/out"
"$simulator" --port 0 --seed-groups 3 >"$work/out" 2>"$work/err" &
pid=$!
variables=(CONFLUENT_CLOUD_ENDPOINT SSL_CERT_FILE CONFLUENT_CLOUD_API_KEY CONFLUENT_CLOUD_API_SECRET)
for ((i = 0; i < 100; ++i)); do
    (($(wc -l <"$work/out") >= ${#variables[@]})) && break
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
done
for variable in "${variables[@]}"; do
    line=$(grep "^$variable=" <(head -n ${#variables[@]} "$work/out")) || {
        echo "the simulator did not print $variable"
        cat "$work/out" "$work/err"
        exit 1
    }
    export "${line?}"
done

count=0

# call STATUS METHOD PATH [BODY]: sends a request, checks the status; the answer is in $work/body.
call()
{
    local wanted=$1 method=$2 path=$3
    local -a data=()
    if (($# > 3)); then
        data=(--header 'Content-Type: application/json' --data "$4")
    fi
    local status
    status=$(curl --silent --show-error --max-time 20 --noproxy '*' --cacert "$SSL_CERT_FILE" \
        --user "$CONFLUENT_CLOUD_API_KEY:$CONFLUENT_CLOUD_API_SECRET" --request "$method" "${data[@]}" \
        --output "$work/body" --write-out '%{http_code}' "$CONFLUENT_CLOUD_ENDPOINT$path")
    if [[ $status != "$wanted" ]]; then
        echo "$method $path: $status instead of $wanted"
        cat "$work/body"
        exit 1
    fi
    count=$((count + 1))
    echo "$method $path: $status"
}

# says TEXT: the answer contains it; white space around colons does not count.
says()
{
    sed 's/" *: */":/g' "$work/body" | grep -qF -- "$1" || {
        echo "the answer does not contain $1"
        cat "$work/body"
        exit 1
    }
}

# made PREFIX: the id of the answer.
made()
{
    sed 's/" *: */":/g' "$work/body" | grep -o "\"id\":\"$1-[^\"]*\"" | head -n 1 | cut -d '"' -f 4
}

groups=/iam/v2/ip-groups
call 200 GET "$groups?page_size=2"
says '"kind":"IpGroupList"'
says page_token
call 201 POST $groups '{"group_name":"CorpNet","cidr_blocks":["10.0.0.0/8"]}'
id=$(made ipg)
call 200 GET "$groups/$id"
says '"group_name":"CorpNet"'
call 200 PATCH "$groups/$id" '{"group_name":"Renamed","cidr_blocks":["10.0.0.0/8","192.168.0.0/24"]}'
says '"group_name":"Renamed"'
call 400 PATCH "$groups/$id" '{"group_name":"Alone"}'
call 204 DELETE "$groups/$id"
call 404 GET "$groups/$id"

pools=/iam/v2/identity-providers/op-4EY/identity-pools
call 200 GET $pools
call 201 POST $pools \
    '{"display_name":"Pool","description":"","identity_claim":"claims.sub","filter":"claims.aud==\"confluent\""}'
id=$(made pool)
call 200 GET "$pools/$id"
says '"identity_claim":"claims.sub"'
call 200 PATCH "$pools/$id" '{"description":"changed"}'
says '"display_name":"Pool"'
says '"description":"changed"'
call 204 DELETE "$pools/$id"
call 404 GET "$pools/$id"

mappings=/iam/v2/sso/group-mappings
call 200 GET $mappings
call 201 POST $mappings '{"display_name":"Mapping","description":"","filter":"\"engineering\" in groups"}'
id=$(made group)
call 200 GET "$mappings/$id"
says "\"principal\":\"$id\""
call 200 PATCH "$mappings/$id" '{"filter":"true"}'
says '"filter":"true"'
call 204 DELETE "$mappings/$id"
call 404 GET "$mappings/$id"

connections=/networking/v1/private-link-attachment-connections
call 200 GET "$connections?environment=env-8gv0v5"
call 202 POST $connections '{"spec":{"display_name":"my_vpc","cloud":{"kind":"AwsPrivateLinkAttachmentConnection",
    "vpc_endpoint_id":"vpce-0ed4d51f5d6ef9b6d"},"environment":{"id":"env-8gv0v5"},
    "private_link_attachment":{"id":"platt-plyvyl"}}}'
id=$(made plattc)
says '"phase":"PROVISIONING"'
call 200 GET "$connections/$id?environment=env-8gv0v5"
call 200 PATCH "$connections/$id" '{"spec":{"display_name":"renamed","environment":{"id":"env-8gv0v5"}}}'
says '"display_name":"renamed"'
call 204 DELETE "$connections/$id?environment=env-8gv0v5"

CONFLUENT_CLOUD_API_SECRET=wrong
call 401 GET $groups

# It goes when it is asked to, and cleans up.
kill "$pid"
status=0
wait "$pid" || status=$?
pid=
if ((status != 0)); then
    echo "the simulator ended with $status"
    cat "$work/err"
    exit 1
fi
if [[ -e $SSL_CERT_FILE ]]; then
    echo "the simulator left $SSL_CERT_FILE behind"
    exit 1
fi
echo "$count requests answered as they should be"
