# project: Perl, Socket, IO, IO::Socket::IP, libnet, Net::Ping, HTTP::Tiny and t/io
# version: 5.36.0
# needs: perl libperl-dev dpkg-dev
modules="cpan/Socket cpan/IO-Socket-IP dist/IO cpan/libnet dist/Net-Ping cpan/HTTP-Tiny"
prepare() {
    debian_source perl 5.36.0-7+deb12u3 perl 't/*' 'cpan/*' 'dist/*'
}
tests() {
    local file folder
    local files=("$@")
    if [ $# = 0 ]; then
        cd "$PLACE/perl"
        for folder in $modules; do files+=("$folder"/t/*.t); done
        files+=(t/io/socket.t t/io/socketpair.t)
        # Those of Net::Ping that ask for hosts of the internet pass by chance where there is none.
        for file in "${!files[@]}"; do case ${files[file]} in *_ping_syn.t | *_syn_host.t) unset "files[file]" ;; esac; done
    fi
    # Of tests that are run again the whole file is.
    for file in $(printf '%s\n' "${files[@]}" | sed 's/\.t\.[0-9]*$/.t/' | sort -u); do
        folder=$PLACE/perl/${file%%/t/*}
        if [ "${file#t/}" != "$file" ]; then folder=$PLACE/perl/t; fi
        cd "$folder"
        { timeout -k 2 "$FILE_SECONDS_MAX" perl "$PLACE/perl/$file" 2>/dev/null </dev/null || true; } | tap "$file"
    done
}
