# what: named with a zone, asked by UDP, TCP and IPv6; a truncated answer asked again; a zone transfer; nobody at a port
# version: dig -v 2>&1
# needs: bind9 bind9-dnsutils
cat >named.conf <<CONF
options { directory "$PWD"; listen-on port 5300 { 127.0.0.1; }; listen-on-v6 port 5300 { ::1; }; pid-file none; recursion no;
    allow-transfer { any; }; session-keyfile none; dnssec-validation no; };
controls { };
zone "example.test" { type primary; file "$PWD/zone"; };
CONF
{ echo '$TTL 60'; echo '@ SOA ns root 1 60 60 60 60'; echo '@ NS ns'; echo 'ns A 127.0.0.1'; echo 'a A 192.0.2.7'; echo 'six AAAA 2001:db8::7'
    for i in $(seq 90); do echo "long TXT \"$(printf '%0100d' "$i")\""; done; } >zone
serve named -g -c named.conf -n 1
until_open 5300
ask() { dig +time=3 +tries=2 -p 5300 "$@"; }
[ "$(ask @127.0.0.1 a.example.test +short)" = 192.0.2.7 ]
[ "$(ask @127.0.0.1 a.example.test +short +tcp)" = 192.0.2.7 ]
[ "$(ask @::1 six.example.test AAAA +short)" = 2001:db8::7 ]
[ "$(ask @127.0.0.1 long.example.test TXT +short | wc -l)" = 90 ]
[ "$(ask @127.0.0.1 example.test AXFR | grep -c TXT)" = 90 ]
ask @127.0.0.1 nobody.example.test | grep -q NXDOMAIN
if dig +time=1 +tries=1 -p 5301 @127.0.0.1 a.example.test >none; then exit 1; fi
