# what: a command and its code, 8 MiB by scp and by a pipe, a port forwarded both ways, SOCKS
# version: ssh -V 2>&1
# needs: openssh-client openssh-server nginx-light curl
. "$(dirname "$JOB")/ssh_here.sh"
ssh_here
code=0; $ssh 127.0.0.1 'exit 7' || code=$?; [ "$code" = 7 ]
data file 8388608
# shellcheck disable=SC2086
scp $options -P 2222 file "127.0.0.1:$PWD/copied" && cmp file copied
$ssh 127.0.0.1 cat <file | cmp - file
mkdir www && cp file www/
nginx_conf 8080 '' ''
serve nginx -p "$PWD" -c nginx8080.conf
until_open 8080
serve $ssh -N -L 127.0.0.1:9001:127.0.0.1:8080 -R 127.0.0.1:9002:127.0.0.1:8080 -D 127.0.0.1:9003 127.0.0.1
until_open 9001 && until_open 9002 && until_open 9003
for way in http://127.0.0.1:9001/file http://127.0.0.1:9002/file; do curl -sSf $way | cmp - file; done
curl -sSf --socks5 127.0.0.1:9003 http://127.0.0.1:8080/file | cmp - file
