# what: echo requests to 127.0.0.1 and ::1, large ones, and to nobody
# version: ping -V
# needs: iputils-ping
ping -n -c 3 -i 0.2 127.0.0.1 | grep -q ' 0% packet loss'
ping -n -c 2 -i 0.2 -s 20000 127.0.0.1 | grep -q ' 0% packet loss'
ping -n -6 -c 3 -i 0.2 ::1 | grep -q ' 0% packet loss'
if ping -n -c 1 -W 1 10.1.2.3 >nobody.log 2>&1; then exit 1; fi
grep -Eq '100% packet loss|unreachable' nobody.log
