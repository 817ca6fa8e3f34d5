# what: a tree of 60 files, recursively; a download continued
# version: wget --version | head -n 1
# needs: wget nginx-light
mkdir -p www/a/b && for i in $(seq 20); do data "www/$i" $((i * 1000)); data "www/a/$i" $((i * 3000)); data "www/a/b/$i" $((i * 7000)); done
nginx_conf 8080 '' 'autoindex on;'
serve nginx -p "$PWD" -c nginx8080.conf
until_open 8080
wget -q -r -nH -R 'index.html*' -P got http://127.0.0.1:8080/
diff -r www got
head -c 5000 www/a/b/20 >20 && wget -q -c http://127.0.0.1:8080/a/b/20 && cmp 20 www/a/b/20
