# (not a job) An sshd of our own on port 2222, and $ssh to reach it.
ssh_here() {
    mkdir -m 700 keys
    ssh-keygen -q -t ed25519 -N '' -f keys/host && ssh-keygen -q -t ed25519 -N '' -f keys/user && cp keys/user.pub keys/allowed
    cat >sshd.conf <<CONF
Port 2222
ListenAddress 127.0.0.1
HostKey $PWD/keys/host
AuthorizedKeysFile $PWD/keys/allowed
StrictModes no
UsePAM no
PidFile none
PermitRootLogin yes
Subsystem sftp internal-sftp
CONF
    if [ "$(id -u)" = 0 ]; then mkdir -p /run/sshd; fi
    serve /usr/sbin/sshd -D -e -f "$PWD/sshd.conf"
    until_open 2222
    options="-q -F none -i $PWD/keys/user -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes"
    ssh="ssh $options -p 2222"
}
