# what: the way to 127.0.0.1 and ::1 by UDP with few hops and the error queue, and its MTU by tracepath
# version: traceroute --version 2>&1
# needs: traceroute iputils-tracepath
traceroute -n -q 1 -m 3 127.0.0.1 | tail -n 1 | grep -q '^ 1  127.0.0.1 '
traceroute -6 -n -q 1 -m 3 ::1 | tail -n 1 | grep -q '^ 1  ::1 '
tracepath -n -m 3 127.0.0.1 | grep -q 'hops 1'
tracepath -6 -n -m 3 ::1 | grep -q 'hops 1'
