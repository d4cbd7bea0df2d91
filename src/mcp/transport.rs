//! Messages as lines on stdin and stdout.

use rmcp::{
    RoleServer,
    model::{ClientJsonRpcMessage, JsonRpcMessage, ServerJsonRpcMessage},
    transport::{Transport, async_rw::AsyncRwTransport, stdio},
};
use tokio::io::{AsyncRead, AsyncWrite, Stdin, Stdout};

/// The longest message that is taken, in bytes: the daemon takes no larger definition, and nothing else is long.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// Lines on stdin and stdout. What comes before the first request is passed over: nothing can have begun by it, and the library would
/// take it for the end.
pub(super) struct Pipes<R: AsyncRead, W: AsyncWrite> {
    lines: AsyncRwTransport<RoleServer, R, W>,
    has_begun: bool,
}

impl Pipes<Stdin, Stdout> {
    /// Those of this process.
    pub(super) fn of_process() -> Self {
        // Not the library's pipes without blocking: it opens them anew, and a pipe whose writer has gone by then never tells its end.
        let (input, output) = stdio();
        Self::new(input, output)
    }
}

impl<R: AsyncRead + Send + Unpin, W: AsyncWrite + Send + Unpin + 'static> Pipes<R, W> {
    pub(super) fn new(input: R, output: W) -> Self {
        let lines = AsyncRwTransport::new_server(input, output).with_max_line_length(MESSAGE_BYTES_MAX);
        Self { lines, has_begun: false }
    }
}

impl<R: AsyncRead + Send + Unpin + 'static, W: AsyncWrite + Send + Unpin + 'static> Transport<RoleServer> for Pipes<R, W> {
    type Error = std::io::Error;

    fn send(&mut self, item: ServerJsonRpcMessage) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.lines.send(item)
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        loop {
            // Cancel-safe as the lines are: what was read of one stays in there.
            let message = self.lines.receive().await?;
            self.has_begun |= matches!(message, JsonRpcMessage::Request(_));
            if self.has_begun {
                return Some(message);
            }
        }
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.lines.close().await
    }
}
