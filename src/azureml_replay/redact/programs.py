"""The commands that take a password as an option, or as a word, of their command line (pure).

Each is a row of the table of shapes, with its version: a row of an older one goes on finding what it found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Operand:
    """A password that is a word by its place among those that are no options."""

    at: int
    """The first is 1."""
    only: str = ""
    """A pattern of the option without which it is asked for, or none; it stands before all else, as `fewer` does."""
    fewer: str = ""
    """A pattern of an option with which there is one word less before it."""
    valued: str = ""
    """A pattern of options that the next word belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One that takes a password in its command line."""

    names: tuple[str, ...]
    flags: str = ""
    """A pattern of options that the next word belongs to."""
    joined: str = ""
    """A pattern of options that the value follows in the same word."""
    below: str = ""
    """The subcommand without which the option means something else."""
    path: tuple[str, ...] = ()
    """The same where there are several: a pattern of each."""
    user: str = ""
    """The value is `user:password`, with this between them, of which the user stays."""
    marked: str = ""
    """What a value begins with that is a password: otherwise it says where one is."""
    first: bool = False
    """The option stands before all else: what follows is a command of its own."""
    every: bool = False
    """There may be several, and an option may be something else besides."""
    bare: str = ""
    """A pattern of a password that is a word without an option, or has it in the group `secret`."""
    operand: Operand | None = None
    since: int = 3
    """The first version of the table that has it."""

    @property
    def needles(self) -> tuple[str, ...]:
        """One of these is in every text that holds such a password."""
        return (self.below,) if self.below else self.names


COMMANDS: Mapping[str, Program] = {
    "curl": Program(
        names=("curl",), flags=r"-[A-Za-z#]{0,8}[uU]|--(?:proxy-)?user", joined=r"-[uU]|--(?:proxy-)?user=", user=":"
    ),
    # `mysql -p x` asks for the password, and x is a database
    "mysql": Program(
        names=(
            *("mysql", "mysqldump", "mysqladmin", "mysqlimport", "mysqlcheck", "mysqlshow", "mysqlsh"),
            *("mariadb", "mariadb-dump", "mariadb-admin"),
        ),
        joined="-p",
    ),
    "sshpass": Program(names=("sshpass",), flags="-p", joined="-p", first=True),
    "docker-login": Program(
        names=("docker", "podman", "buildah", "skopeo", "nerdctl", "oras"), flags="-p", below="login"
    ),
    "az": Program(names=("az",), flags="-p", below="login"),
    "mongosh": Program(
        names=("mongosh", "mongo", "mongodump", "mongorestore", "mongoexport", "mongoimport"), flags="-p"
    ),
    "redis-cli": Program(names=("redis-cli",), flags="-a"),
    "sqlcmd": Program(names=("sqlcmd", "bcp"), flags="-P", joined="-P"),
    "wandb": Program(names=("wandb",), below="login", bare=r"(?:[0-9a-f]{40}|wandb_v1_\w{40,})(?!\w)"),
    "htpasswd": Program(
        names=("htpasswd", "mosquitto_passwd"),
        operand=Operand(at=3, only=r"-\w*b\w*", fewer=r"-\w*n\w*", valued=r"-\w*[CrHI]"),
        since=4,
    ),
    "ldap": Program(
        names=(
            *("ldapsearch", "ldapadd", "ldapmodify", "ldapdelete", "ldapcompare", "ldapmodrdn", "ldapexop"),
            *("ldapwhoami", "ldapvi"),
        ),
        flags="-[A-Za-z]{0,8}w",
        joined="-w",
        since=4,
    ),
    "ldappasswd": Program(names=("ldappasswd",), flags="-[was]", joined="-[was]", every=True, since=4),
    "samba": Program(
        names=("smbclient", "rpcclient", "smbget", "smbcacls", "smbcquotas", "smbtree"),
        flags="-U|--user",
        joined="-U|--user=",
        user="%",
        since=4,
    ),
    "openssl": Program(
        names=("openssl",), flags="-(?:pass|passin|passout|password)", marked="pass:", every=True, since=4
    ),
    "keytool": Program(names=("keytool", "jarsigner"), flags="-(?:src|dest)?(?:store|key)pass", every=True, since=4),
    "zip": Program(names=("zip", "unzip"), flags="-[A-Za-z0-9]{0,8}P", since=4),
    "7z": Program(names=("7z", "7za", "7zr", "7zz", "rar", "unrar"), joined="-h?p(?!-)", since=4),
    "ipmitool": Program(names=("ipmitool",), flags="-P", since=4),
    "mosquitto": Program(names=("mosquitto_pub", "mosquitto_sub", "mosquitto_rr"), flags="-P|--pw", since=4),
    "lftp": Program(names=("lftp",), flags="-u|--user", user=",", since=4),
    "httpie": Program(
        names=("http", "https", "httpie", "xh"), flags="-a|--auth", joined="-a|--auth=", user=":", since=4
    ),
    "creds": Program(
        names=("skopeo", "podman", "buildah", "crictl"),
        flags="--(?:src-|dest-)?creds",
        joined="--(?:src-|dest-)?creds=",
        user=":",
        every=True,
        since=4,
    ),
    "registry-login": Program(
        names=("helm", "crane", "regctl", "apptainer", "singularity"),
        path=("registry|auth|remote", "login"),
        flags="-p",
        since=4,
    ),
    "cluster-login": Program(names=("oc", "cf"), path=("login",), flags="-p", joined="-p", since=4),
    "python-index": Program(names=("twine", "poetry"), path=("upload|publish",), flags="-p", since=4),
    "database-shells": Program(names=("cypher-shell", "cqlsh", "rabbitmqadmin"), flags="-p", since=4),
    "sqlplus": Program(names=("sqlplus",), bare=r"[^\s/@]+/(?P<secret>[^\s/@]+@)", since=4),
    "ssh-keygen": Program(names=("ssh-keygen",), flags="-[NP]", every=True, since=4),
    "az-keyvault": Program(
        names=("az",), path=("keyvault", "secret", "set"), flags="--value", joined="--value=", since=4
    ),
    "kubectl": Program(
        names=("kubectl", "oc"),
        path=("create", "secret"),
        flags="--from-literal",
        joined="--from-literal=",
        user="=",
        every=True,
        since=4,
    ),
    "gh": Program(names=("gh",), path=("secret", "set"), flags="-b|--body", joined="-b|--body=", since=4),
    "aws-configure": Program(
        names=("aws",),
        path=("configure", "set", "aws_secret_access_key|aws_session_token"),
        operand=Operand(at=1, valued="--(?:profile|region)"),
        since=4,
    ),
}
"""By the keys of their rows in the table of shapes."""
