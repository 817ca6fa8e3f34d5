//! Waiting for a socket to be ready, as all of them have it for tasks.

/// Methods of a type whose first field is a socket.
macro_rules! waits {
    () => {
        /// Waits until there is something to read, for a task; dropped before its end it takes nothing. Any number of tasks may wait.
        ///
        /// # Errors
        ///
        /// None that is known: what has gone wrong is told by the call that follows.
        pub async fn readable(&self) -> ::std::io::Result<()> {
            self.0.ready(crate::room::Way::Read).await
        }

        /// Waits until there is room to write, in the same way.
        ///
        /// # Errors
        ///
        /// None that is known.
        pub async fn writable(&self) -> ::std::io::Result<()> {
            self.0.ready(crate::room::Way::Write).await
        }

        /// Waits for one of the two, in the same way.
        ///
        /// # Errors
        ///
        /// None that is known.
        pub async fn readable_or_writable(&self) -> ::std::io::Result<()> {
            self.0.ready(crate::room::Way::Either).await
        }

        /// Is there something to read? The last task that asked is woken when there is.
        ///
        /// # Errors
        ///
        /// None that is known.
        pub fn poll_readable(
            &self,
            cx: &::std::task::Context<'_>,
        ) -> ::std::task::Poll<::std::io::Result<()>> {
            self.0.poll_ready(cx, crate::room::Way::Read)
        }

        /// Is there room to write? The last task that asked is woken when there is.
        ///
        /// # Errors
        ///
        /// None that is known.
        pub fn poll_writable(
            &self,
            cx: &::std::task::Context<'_>,
        ) -> ::std::task::Poll<::std::io::Result<()>> {
            self.0.poll_ready(cx, crate::room::Way::Write)
        }

        /// What poll(2) would show of the socket now.
        pub fn readiness(&self) -> crate::sockets::Readiness {
            self.0.readiness()
        }
    };
}
pub(super) use waits;
