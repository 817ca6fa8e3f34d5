# what: clone, push and fetch by smart HTTP (git http-backend), by SSH and by git://; fsck
# version: git --version
# needs: git openssh-client openssh-server python3
. "$(dirname "$JOB")/ssh_here.sh"
ssh_here
export HOME=$PWD GIT_CONFIG_NOSYSTEM=1
git config --global user.name a && git config --global user.email a@example.org && git config --global http.postBuffer 67108864
git config --global safe.directory '*' && git config --global init.defaultBranch main && git config --global protocol.version 2
mkdir -p serve/cgi-bin && git init -q --bare serve/one.git && git -C serve/one.git config http.receivepack true
cat >serve/cgi-bin/git <<CGI
#!/bin/sh
export GIT_PROJECT_ROOT=$PWD/serve GIT_HTTP_EXPORT_ALL=1 HOME=$HOME
exec git http-backend
CGI
chmod +x serve/cgi-bin/git
# The server makes nobody of root for its scripts.
chmod -R a+rwX serve && chmod a+rx .
serve python3 -m http.server --cgi --bind 127.0.0.1 --directory serve 8080
serve git daemon --reuseaddr --listen=127.0.0.1 --port=9418 --base-path="$PWD/serve" --export-all --enable=receive-pack
until_open 8080 && until_open 9418
git init -q work && cd work
for i in $(seq 50); do data "$i" 20000; git add . && git commit -q -m "$i"; done
git push -q http://127.0.0.1:8080/cgi-bin/git/one.git main
cd ..
GIT_SSH_COMMAND="$ssh" git clone -q "ssh://127.0.0.1/$PWD/serve/one.git" by-ssh
git clone -q git://127.0.0.1/one.git by-git
git clone -q http://127.0.0.1:8080/cgi-bin/git/one.git by-http
(cd by-ssh && echo more >more && git add . && git commit -q -m more && GIT_SSH_COMMAND="$ssh" git push -q origin main)
(cd by-git && git pull -q) && (cd by-http && git pull -q)
for copy in by-git by-http; do (cd $copy && git fsck --no-progress && [ "$(git rev-parse HEAD)" = "$(git -C ../by-ssh rev-parse HEAD)" ]); done
