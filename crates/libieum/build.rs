//! Programs that are linked to `libieum.so` by its path are to look for it by its name.

fn main() {
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libieum.so");
    println!("cargo::rerun-if-changed=build.rs");
}
