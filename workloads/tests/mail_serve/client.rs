//! The server as a process, and clients on raw sockets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

pub(crate) struct Server {
    child: Mutex<Child>,
    out: BufReader<ChildStdout>,
    pub(crate) smtp: String,
    pub(crate) pop3: String,
}

impl Server {
    pub(crate) fn start(directory: &Path, arguments: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_workloads"));
        command.args(["mail", "serve"]).arg(directory);
        command.args(["--smtp", "127.0.0.1:0", "--pop3", "127.0.0.1:0"]);
        command.args(arguments.split_whitespace());
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the command starts");
        let mut out = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut address = |name: &str| {
            let mut line = String::new();
            out.read_line(&mut line).expect("it says where it listens");
            let address = line.trim().strip_prefix(name).expect("it begins with that");
            address.trim().to_owned()
        };
        let (smtp, pop3) = (address("smtp"), address("pop3"));
        Self {
            child: Mutex::new(child),
            out,
            smtp,
            pop3,
        }
    }

    pub(crate) fn smtp(&self) -> Client {
        Client::try_new(&self.smtp).expect("it listens")
    }

    pub(crate) fn pop3(&self) -> Client {
        Client::try_new(&self.pop3).expect("it listens")
    }

    /// A client that is let in, once one that is gone has been noticed.
    pub(crate) fn admitted(&self, connect: fn(&Self) -> Client) -> Client {
        loop {
            let mut client = connect(self);
            let greeting = client.line().expect("it says something");
            if greeting.starts_with("220") || greeting.starts_with("+OK") {
                return client;
            }
        }
    }

    /// A client of POP3 that has given its password, and has read nothing of the answer.
    pub(crate) fn enter(&self, user: u32) -> Client {
        let mut pop3 = self.pop3();
        pop3.says("+OK");
        pop3.send(&format!("USER user{user}\r\n"));
        pop3.says("+OK");
        pop3.send("PASS x\r\n");
        pop3
    }

    pub(crate) fn kill_now(&self) {
        let mut child = self.child.lock().expect("no panic");
        child.kill().expect("it is ours");
        child.wait().expect("it is ours");
    }

    pub(crate) fn kill(self) {
        self.kill_now();
    }

    /// Ends it with a signal. Returns what it reports.
    pub(crate) fn end(mut self) -> String {
        let mut child = self.child.lock().expect("no panic");
        let pid = child.id().to_string();
        let sent = Command::new("kill").args(["-s", "TERM", &pid]).status();
        assert!(sent.expect("kill starts").success());
        let status = child.wait().expect("it is ours");
        assert_eq!(status.code(), Some(143));
        let mut report = String::new();
        self.out.read_to_string(&mut report).expect("it reports");
        report
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let child = self.child.get_mut();
        let _ = child.map(|child| child.kill().and_then(|()| child.wait().map(drop)));
    }
}

pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    pub(crate) fn try_new(address: &str) -> Option<Self> {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(Duration::from_mins(1))).ok()?;
        Some(Self(BufReader::new(stream)))
    }

    /// The same connection, to send by from another thread.
    pub(crate) fn another(&self) -> Self {
        let stream = self.0.get_ref().try_clone();
        Self(BufReader::new(stream.expect("there is room")))
    }

    pub(crate) fn try_send(&mut self, text: &str) -> Option<()> {
        self.0.get_mut().write_all(text.as_bytes()).ok()
    }

    #[track_caller]
    pub(crate) fn send(&mut self, text: &str) {
        self.try_send(text).expect("it is sent");
    }

    /// The next line, whole. `None`: there is none.
    pub(crate) fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.0.read_line(&mut line).ok()?;
        line.ends_with("\r\n").then_some(line)
    }

    pub(crate) fn lines(&mut self, count: usize) -> Vec<String> {
        (0..count).map_while(|_| self.line()).collect()
    }

    #[track_caller]
    pub(crate) fn says(&mut self, wanted: &str) {
        let line = self.line().unwrap_or_else(|| panic!("{wanted}: nothing"));
        assert!(line.starts_with(wanted), "{wanted}: {line}");
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        matches!(self.0.read(&mut [0]), Ok(0))
    }

    /// Sends a line, and reads the first one of the answer if that is good.
    fn asks(&mut self, text: &str) -> Option<String> {
        self.try_send(text)?;
        self.line().filter(|line| line.starts_with("+OK"))
    }

    /// The mail of a user, whether it is known to be deleted. `None`: the server is gone.
    pub(crate) fn try_pick_up(server: &Server, user: u32) -> Option<(Vec<String>, bool)> {
        let mut pop3 = loop {
            let mut pop3 = Self::try_new(&server.pop3)?;
            pop3.line()?;
            pop3.asks(&format!("USER user{user}\r\n"))?;
            pop3.try_send("PASS x\r\n")?;
            let entered = pop3.line()?;
            if entered.starts_with("+OK") {
                break (pop3, entered);
            }
            assert!(entered.starts_with("-ERR [IN-USE]"), "{entered}");
        };
        let count: usize = pop3.1.split(' ').nth(1)?.parse().ok()?;
        let pop3 = &mut pop3.0;
        let mut mail = Vec::new();
        for number in 1..=count {
            mail.push(pop3.retrieve(number)?);
            pop3.asks(&format!("DELE {number}\r\n"))?;
        }
        let is_gone = pop3.asks("QUIT\r\n").is_some();
        Some((mail, is_gone))
    }

    /// The text of a message that [`deliver`] has sent.
    fn retrieve(&mut self, number: usize) -> Option<String> {
        self.asks(&format!("RETR {number}\r\n"))?;
        let mut lines = Vec::new();
        loop {
            let line = self.line()?;
            if line == ".\r\n" {
                break;
            }
            lines.push(line);
        }
        let [path, empty, text, again] = &lines[..] else {
            panic!("it is torn: {lines:?}");
        };
        assert_eq!((&**path, &**empty), ("Return-Path: <>\r\n", "\r\n"));
        assert_eq!(text, again, "it is torn");
        Some(text.trim_end().to_owned())
    }
}

/// Delivers a text. `None`: it was not acknowledged.
pub(crate) fn deliver(server: &Server, user: u32, text: &str) -> Option<()> {
    let mut smtp = Client::try_new(&server.smtp)?;
    let recipient = format!("RCPT TO:<user{user}@example.test>");
    let message = format!("\r\n{text}\r\n{text}\r\n.\r\n");
    for (line, wanted) in [
        ("", "220"),
        ("HELO there\r\n", "250"),
        ("MAIL FROM:<>\r\n", "250"),
        (&(recipient + "\r\n"), "250"),
        ("DATA\r\n", "354"),
        (&message, "250"),
    ] {
        smtp.try_send(line)?;
        let said = smtp.line()?;
        assert!(said.starts_with(wanted), "{line}: {said}");
    }
    Some(())
}

/// Picks up and deletes.
pub(crate) fn pick_up(server: &Server, user: u32) -> Vec<String> {
    let (mail, is_gone) = Client::try_pick_up(server, user).expect("it serves");
    assert!(is_gone);
    mail
}

/// What is there, and stays.
pub(crate) fn peek(server: &Server, user: u32) -> Vec<String> {
    let mut pop3 = server.enter(user);
    let entered = pop3.line().expect("it serves");
    let count = entered.split(' ').nth(1).and_then(|it| it.parse().ok());
    let count: usize = count.unwrap_or_else(|| panic!("{entered}"));
    let mail = (1..=count).map(|number| pop3.retrieve(number).expect("it serves"));
    mail.collect()
}
