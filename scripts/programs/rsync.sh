# what: a tree of 300 files from a daemon and back to it, then what changed
# version: rsync --version | head -n 1
# needs: rsync
mkdir -p tree/a/b back && for i in $(seq 100); do data "tree/$i" $((i * 500)); data "tree/a/$i" $((i * 900)); data "tree/a/b/$i" 77; done
data tree/large 4194304
cat >rsyncd.conf <<CONF
use chroot = no
port = 8873
address = 127.0.0.1
uid = $(id -u)
gid = $(id -g)
[out]
path = $PWD/tree
[in]
path = $PWD/back
read only = no
CONF
serve rsync --daemon --no-detach --config rsyncd.conf
until_open 8873
rsync -a rsync://127.0.0.1:8873/out/ got/ && diff -r tree got
rsync -az got/ rsync://127.0.0.1:8873/in/ && diff -r tree back
printf x | dd of=tree/large bs=1 seek=1000000 conv=notrunc status=none && rm tree/a/7
rsync -a --delete --no-whole-file --checksum rsync://127.0.0.1:8873/out/ got/ && diff -r tree got
