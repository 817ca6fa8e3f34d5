# what: 4 MiB by TCP, by TCP over IPv6 and through TLS, half-closed; datagrams echoed; a forwarder
# version: socat -V | sed -n 2p
# needs: socat openssl
data file 4194304
serve socat TCP-LISTEN:7001,reuseaddr,fork,bind=127.0.0.1 EXEC:cat
serve socat TCP6-LISTEN:7002,reuseaddr,fork,bind=[::1] EXEC:cat
serve socat UDP-LISTEN:7003,fork,bind=127.0.0.1 EXEC:cat
serve socat TCP-LISTEN:7004,reuseaddr,fork,bind=127.0.0.1 TCP:127.0.0.1:7001
openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -days 2 -subj /CN=localhost 2>/dev/null
serve socat OPENSSL-LISTEN:7005,reuseaddr,fork,bind=127.0.0.1,cert=cert,key=key,verify=0 EXEC:cat
until_open 7001 && until_open 7004 && until_open 7005
socat -t 10 - TCP:127.0.0.1:7001 <file | cmp - file
socat -t 10 - 'TCP6:[::1]:7002' <file | cmp - file
socat -t 10 - TCP:127.0.0.1:7004 <file | cmp - file
socat -t 10 - OPENSSL:127.0.0.1:7005,verify=0 <file | cmp - file
[ "$(echo word | socat -t 2 - UDP:127.0.0.1:7003)" = word ]
