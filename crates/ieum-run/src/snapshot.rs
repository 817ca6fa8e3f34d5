//! All sockets of the host at one moment, with the processes that hold them.

use std::collections::BTreeMap;
use std::os::fd::AsFd;

use ieum_engine::Turn;
use ieum_socket::UNCONNECTED;

use crate::bounds::HOLDERS_MAX;
use crate::control::{Holder, Row};
use crate::runner::Runner;
use crate::socket::Carrier;
use crate::sys::unread_bytes;
use crate::tracee::{self, Place};
use crate::tree::TreeId;

impl Runner {
    /// A row for each socket, and for each connection that only the stack knows. One that was closed a moment ago, and
    /// told nobody, has none.
    pub(crate) fn rows(&mut self, turn: &Turn<'_>) -> Vec<Row> {
        self.sweep(turn);
        let holders = self.holders();
        let listed = self.namespace_sockets();
        let of_namespace = listed.into_iter().map(|one| {
            let places = holders.get(&one.inode).map_or(&[][..], Vec::as_slice);
            Row {
                holders: places.iter().take(HOLDERS_MAX).map(|place| holder(*place)).collect(),
                protocol: one.make.name().to_owned(),
                state: if one.remote.is_some() { "ESTAB" } else { UNCONNECTED }.to_owned(),
                recv_queue: one.recv_queue,
                send_queue: one.send_queue,
                local: one.local,
                remote: one.remote,
            }
        });
        let of_namespace: Vec<Row> = of_namespace.collect();
        let views = self.host.sockets();
        let of_host = views.into_iter().filter_map(|view| {
            let number = view.id.and_then(|id| self.sockets.by_host(id));
            let inode = number.and_then(|number| self.sockets.get(number)?.inode);
            let places = inode.and_then(|inode| holders.get(&inode)).map_or(&[][..], Vec::as_slice);
            if view.state == UNCONNECTED
                && places.is_empty()
                && number.is_some_and(|number| self.is_over(number))
            {
                return None;
            }
            let (received, sent) = number.map_or((0, 0), |number| self.on_the_way(number));
            Some(Row {
                holders: places.iter().take(HOLDERS_MAX).map(|place| holder(*place)).collect(),
                protocol: view.make.name().to_owned(),
                state: view.state.to_owned(),
                recv_queue: view.recv_queue.saturating_add(received),
                send_queue: view.send_queue.saturating_add(sent),
                local: view.local,
                remote: view.remote,
            })
        });
        let of_host: Vec<Row> = of_host.collect();
        of_host.into_iter().chain(of_namespace).collect()
    }

    /// Its connection is over. Who accepted it may have closed it and told nobody, since it bears no name to ask after.
    fn is_over(&self, number: u64) -> bool {
        self.sockets.get(number).is_some_and(|socket| matches!(socket.carrier, Carrier::Over(_)))
    }

    /// Bytes between the program and the host: they have left one and not reached the other.
    fn on_the_way(&mut self, number: u64) -> (usize, usize) {
        match self.sockets.get(number).map(|socket| &socket.carrier) {
            Some(Carrier::Stream(stream)) => {
                let sent = stream.unread_bytes();
                let received = self.copy(number).map_or(0, |copy| unread_bytes(copy.as_fd()));
                (received, sent)
            }
            None
            | Some(
                Carrier::Fresh
                | Carrier::Listening(_)
                | Carrier::Connecting(_)
                | Carrier::Spent
                | Carrier::Over(_)
                | Carrier::Datagram(_),
            ) => (0, 0),
        }
    }

    /// Every socket that a process of any tree has a descriptor of, by inode.
    pub(crate) fn holders(&self) -> BTreeMap<u64, Vec<Place>> {
        let mut holders: BTreeMap<u64, Vec<Place>> = BTreeMap::new();
        for (tree, process) in self.trees.processes() {
            for place in tracee::descriptors(tree, process) {
                if let Some(inode) = tracee::socket_inode(place) {
                    holders.entry(inode).or_default().push(place);
                }
            }
        }
        holders
    }

    /// A tree is no more: what it had, and nobody else has, is closed. Its own processes may live on (theirs was killed
    /// before them) and hold what nobody serves any more.
    pub(crate) fn close_unheld(&mut self, turn: &Turn<'_>, tree: TreeId) {
        let holders = self.holders();
        let mut closed = Vec::new();
        for number in self.sockets.numbers() {
            let Some(socket) = self.sockets.get(number) else { continue };
            let was_theirs = socket.place.is_some_and(|place| place.tree == tree);
            if was_theirs && socket.inode.is_some_and(|inode| !holders.contains_key(&inode)) {
                self.close_for_certain(turn, number);
                closed.push(number);
            }
        }
        // What lies in the queues of their listeners nobody will accept, though S lives on with its process.
        for number in self.sockets.numbers() {
            let Some(socket) = self.sockets.get(number) else { continue };
            if socket.place.is_none() && socket.listener.is_some_and(|listener| closed.contains(&listener)) {
                self.abandon(turn.now, number);
            }
        }
    }
}

fn holder(place: Place) -> Holder {
    let command = std::fs::read_to_string(format!("/proc/{}/comm", place.thread)).unwrap_or_default();
    Holder { process: place.thread, command: command.trim_end().to_owned(), descriptor: place.descriptor }
}
