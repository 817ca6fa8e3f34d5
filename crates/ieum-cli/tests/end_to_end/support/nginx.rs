//! nginx in the foreground, with its configuration and everything it writes in a folder of the test's.

use super::{Folder, is_root, path_of};

/// The command line of an nginx whose `server` block contains `server`; everything else about it is here.
pub(crate) fn nginx(folder: &Folder, server: &str, ordinary_user: bool) -> Vec<String> {
    nginx_with_workers(folder, 1, server, ordinary_user)
}

/// The same with so many workers.
pub(crate) fn nginx_with_workers(
    folder: &Folder,
    workers: u32,
    server: &str,
    ordinary_user: bool,
) -> Vec<String> {
    let place = folder.path().display();
    // Started by root, the workers would become a user who may not read the test's files.
    let user = if is_root() && !ordinary_user { "user root;" } else { "" };
    let configuration = folder.write(
        "nginx.conf",
        &format!(
            "daemon off; worker_processes {workers}; pid {place}/nginx.pid; error_log stderr warn; {user}
             events {{ worker_connections 256; }}
             http {{
                 access_log off; sendfile on; tcp_nopush on;
                 client_body_temp_path {place}/body; proxy_temp_path {place}/proxy;
                 fastcgi_temp_path {place}/fastcgi; uwsgi_temp_path {place}/uwsgi; scgi_temp_path {place}/scgi;
                 server {{ {server} }}
             }}\n"
        ),
    );
    vec![
        path_of("nginx"),
        "-e".into(),
        "stderr".into(),
        "-p".into(),
        place.to_string(),
        "-c".into(),
        configuration,
    ]
}
