//! Arguments without passwords.

use aidb_redis::resp::Args;

const REDACTED: &[u8] = b"(redacted)";
/// Settings that hold secrets.
const SECRET_SETTINGS: [&[u8]; 4] =
    [b"requirepass", b"masterauth", b"masteruser", b"tls-key-file-pass"];

/// The arguments of a command, secrets replaced.
pub(super) fn redacted(args: &Args<'_>) -> Vec<Vec<u8>> {
    let mut shown: Vec<Vec<u8>> = args.from(0).map(<[u8]>::to_vec).collect();
    let word = |at: usize| args.get(at).to_ascii_lowercase();
    match (word(0).as_slice(), word(1).as_slice()) {
        (b"auth", _) => hide(&mut shown, 1, usize::MAX),
        (b"acl", b"setuser") => hide(&mut shown, 2, usize::MAX),
        (b"config", b"set") => {
            for at in (2..args.len()).step_by(2) {
                if SECRET_SETTINGS.contains(&word(at).as_slice()) {
                    hide(&mut shown, at + 1, 1);
                }
            }
        }
        (b"hello" | b"migrate", _) => {
            for at in 1..args.len() {
                match word(at).as_slice() {
                    b"auth" if word(0) == b"migrate" => hide(&mut shown, at + 1, 1),
                    b"auth" | b"auth2" => hide(&mut shown, at + 1, 2),
                    _ => {}
                }
            }
        }
        _ => {}
    }
    shown
}

fn hide(arguments: &mut [Vec<u8>], from: usize, count: usize) {
    for argument in arguments.iter_mut().skip(from).take(count) {
        *argument = REDACTED.to_vec();
    }
}
