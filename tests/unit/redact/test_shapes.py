"""Each row of the table is found wherever a text has it, and nothing else is; no text takes longer than its length."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_replay.redact import STARS, VERSION, Rules, text
from azureml_replay.redact.shapes import SHAPES
from azureml_replay.redact.texts import hidden, hidden_path
from unit.redact.planted import MAKERS, Made

RULES = Rules()
ROWS = [(key, at) for key, makers in MAKERS.items() for at in range(len(makers))]
POSITIONS: dict[str, Callable[[str], str]] = {
    "alone": lambda made: made,
    "first": lambda made: f"{made} was what it said",
    "last": lambda made: f"it said {made}",
    "in a sentence": lambda made: f"it said: {made}, and more.",
    "in brackets": lambda made: f"see ({made}) there",
    "on a line": lambda made: f"line 1\n{made}\nline 3",
    "in a log": lambda made: f"2026-11-30 02:11:09,123 ERROR root: request failed: {made}",
    "in JSON": lambda made: json.dumps({"a": 1, "what": made, "z": "end"}),
    "in JSON in JSON": lambda made: json.dumps({"a": json.dumps({"what": made})}),
    "on a line in JSON": lambda made: json.dumps({"log": f"line 1\n{made}\nline 3"}),
    "in a repr": lambda made: repr({"a": 1, "what": made}),
    "in HTML": lambda made: f"<td>{made}</td>",
}


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize(("key", "at"), ROWS)
def test_a_secret_is_found_wherever_it_stands(key: str, at: int, position: str) -> None:
    made, secret = MAKERS[key][at]()
    whole = POSITIONS[position](made)

    clean = text(whole)

    assert not remains(secret, clean)
    assert STARS in clean
    assert text(clean) == clean


def remains(secret: str, clean: str) -> bool:
    """Whether any part of a secret is left that tells something of it."""
    pieces = [piece for piece in secret.replace("\\", "\n").split("\n") if len(piece) > 3]
    return any(piece in clean or piece[-6:] in clean for piece in pieces if not piece.startswith("-----"))


@pytest.mark.parametrize(("key", "at"), ROWS)
def test_a_secret_is_found_inside_a_url(key: str, at: int) -> None:
    """Also where that is inside of another one, and of a third: what stands around it stays."""
    made, secret = MAKERS[key][at]()
    written = made

    for _ in range(3):
        written = quote(written, safe="")
        clean = text(f"https://h.example/p?a=1&x={written}&b=2")
        said = clean
        while said != unquote(said):
            said = unquote(said)
        assert not remains(unquote(secret), said)
        assert clean.startswith("https://h.example/p?a=1&x=")
        assert clean.endswith("&b=2")
        assert text(clean) == clean
    assert not remains(quote(secret, safe=""), text(f"https://h.example/{quote(made)}/p"))


def test_every_row_has_a_maker_and_is_found_by_itself() -> None:
    """What the other rows find is no proof of this one."""
    assert set(MAKERS) == {row.key for row in SHAPES}
    for row in SHAPES:
        for make in MAKERS[row.key]:
            made, secret = make()
            assert any(needle in made for needle in row.needles)
            assert any(made[start:end] in secret or secret in made[start:end] for start, end in row.find(made)), made


def test_a_keys_last_line_goes_to_its_end_whatever_it_begins_with() -> None:
    """Sixteen letters, then a digit: what follows the letters stayed."""
    begun = "-----BEGIN PRIVATE" + " KEY-----\n" + "\n".join(["aB3d" * 16] * 2)
    for last in ("abcdefghijklmnopqr44", "a1", "abcdefghijklmnopqrst", "abcdefghijklmnop+/=="):
        assert text(f"before {begun}\n{last} behind") == "before *** behind" or len(last) < 4


def test_a_value_ends_at_its_own_quote() -> None:
    """Also one that ends in a backslash, or holds quotes, however deep the JSON lies in JSON."""
    for value in ("ab1c\\", 'ab"1c', "ab1c", '"1'):
        inner = {"password": value, "x": "keep"}
        assert json.loads(text(json.dumps(inner))) == {"password": STARS, "x": "keep"}
        assert json.loads(json.loads(text(json.dumps(json.dumps(inner))))) == {"password": STARS, "x": "keep"}
        assert json.loads(text(json.dumps({"a": json.dumps({"b": json.dumps(inner)})})))["a"].endswith('\\"keep\\"}"}')


@pytest.mark.parametrize(("key", "at"), ROWS)
def test_only_the_secret_goes(key: str, at: int) -> None:
    made, secret = MAKERS[key][at]()

    assert text(f"before {made} behind") == f"before {made.replace(secret, STARS)} behind"


@pytest.mark.parametrize(
    "ordinary",
    [
        "password", "the password is wrong", "token=512", "max_tokens=512", "pad_token=<pad>", "sort_key=created_at",
        "PRIMARY_KEY=id", "PWD=/mnt/azureml/cr/j", "export OLDPWD=/root", "password=None", "password=$PASSWORD",
        "--password ${{secrets.DB}}", "--password $DB_PASSWORD", "--password to set it", "use --token or --key",
        "password=getpass()", 'password=os.environ["DB"]', "STORAGE_KEY = base64.b64encode(token_bytes(64))",
        'password = variables.get(f"{prefix}PASSWORD")', "password={password}", "token: the next one",
        "secret: what nobody knows", "https://h/?code=200", "https://h:8080/p", "git@github.com:o/r.git",
        "https://user@host/p", "https://${USER}:${TOKEN}@host/p", "https://h/p?key=value", "Basic authentication",
        "Bearer of good news that are long", "wasbs://container-0123456789-0123456789@acct.blob.core.windows.net/x",
        "abfss://fs@acct.dfs.core.windows.net/p", "sk-learn", "task-" + "a1" * 20, "hf_transfer_enabled_for_downloads",
        "sha256:" + "0a" * 32, "docker.io/x@sha256:" + "0a" * 32, "eyJust a word", "design=0.5", "sig=0.05",
        "-----BEGIN CERTIFICATE-----", "a line like -----BEGIN PRIVATE KEY----- begins a key", "x" * 86 + "==",
        "azureml://subscriptions/s/resourcegroups/g/workspaces/w/datastores/d/paths/x", "key=value; other=1",
        "2026-11-30T02:11:09.1234567Z", '{"tokenizer": "bert", "token_count": 512}', "glue/sst-2", "npm_config_cache",
        "keras.losses.SparseCategoricalCrossentropy", "AKIRA", "secret/ingest", "tokens: 12345678 of 90000000",
        "connection string", "monkey=12345678", "eval/token_accuracy", "password strength: 12 of 20",
        "keys: a1b2c3d4e5f6a7b8c9d0", "hotkey: a1", "authorization: required", "signature=f(x, y) -> z",
        "mkdir -p /mnt/out", "python -u train.py", "docker run -p 8080:80 nginx", "docker build -t x . -p y",
        "docker login registry.example && mkdir -p out", "mysql -h db -p shop", "mysql -p", "mysql --port 3306",
        "mysql -u root; mkdir -pv out", "mysql -p$DB_PASSWORD shop", "mysqldump -p${{secrets.DB}} x", "curl -u user",
        "curl -u $USER:$PASS https://h", "curl -u 'me:${TOKEN}' https://h", "curl -u : --negotiate https://h",
        "curl -U http://proxy:8080 https://h", "curl --user-agent a:b https://h", "curling -u a:b", "my.curl -u a:b",
        "sshpass -e ssh me@host -p 22", "sshpass -p $PW ssh host", "az login -u me --tenant t", "az vm create -p x",
        "az login --identity", "redis-cli -h cache -p 6379", "sqlcmd -E -P", "wandb login", "wandb login --relogin",
        "wandb sync " + "0a" * 20, "mongosh -p --host h", "see docker, login and -p there", "the curl of a field -u",
        "https%3A%2F%2Fh.example%2Fa%20b", "100%25 of 50%", "LIKE '%ab%25cd%'", "a%2Fb%3Fc%3Dd", "%ff%fe%3D",
        "htpasswd -c users me", "htpasswd -b users me $PW", "htpasswd -b users me", "htpasswd me and then -b",
        "ldapsearch -x -W -D cn=me", "ldapsearch -y /run/secrets/ldap -b dc=x", "ldapsearch -w $LDAP_PW", "ldap -w x1",
        "smbclient -U me //server/share", "smbclient -U me%$PW //s", "rpcclient -U % server", "net -U a%b12",
        "openssl rsa -passin env:PW", "openssl rsa -passin file:/run/p", "openssl req -new -pass stdin", "zip and -P",
        "unzip -p a.zip x", "7z x -p- a.7z", "7z x data.7z -o/out", "ipmitool -p 623 -U me", "zip -r a x",
        "mosquitto_pub -p 1883 -t x", "lftp -u me sftp://h", "http -a me h", "GET http -a", "xh --auth $A:$B h",
        "skopeo copy --src-creds me a b", "helm install -p x1", "helm registry list -p x1", "oc get pods -p x1",
        "cf push -p dist", "twine check -p x1", "poetry add -p x1", "cqlsh -u me h 9042", "sqlplus and/or psql",
        "sqlplus / as sysdba", "sqlplus /nolog @a/b", "sqlplus me@orders", "ssh-keygen -f key -C me",
        "az keyvault secret show --value x1", "az keyvault key set --value x1", "az tag create --value x1",
        "kubectl create configmap x --from-literal=a=b1", "kubectl create secret generic x --from-file=a=b1",
        "gh secret list -b x1", "gh pr create -b x1", "aws configure set region eu", "aws configure list",
        "aws s3 cp aws_secret_access_key x1", "set aws_secret_access_key and configure it",
        '"tokenizer": {"value": "bert-12345678"}', '"db_password": {"uri": "azureml://datastores/d/paths/x1"}',
        '"db_password": {"value": "${{parent.inputs.db_password}}"}', '"token": {"value": 512, "default": null}',
        '"token": {"type": "string", "default": "true"}', '"secret": {"lr": {"value": "12345678"}, "default": "x"}',
        '{"name": "tokenizer", "value": "bert-12345678"}', '{"title": "token", "value": "bert-12345678"}',
        "db_password:\n  type: string\n  optional: true\nlr:\n  default: a1b2c3d4e5", "password: {{x}}",
        "token:\n  lr:\n    default: a1b2c3d4e5", "passwords:\n  - default: a1b2c3d4e5", "secrets, and a value: x1",
        '"pad_token": ["a1b2c3d4e5"]', '"token": ["[CLS]", "[SEP]"], "x": "a1b2c3d4e5"',
        '"password": [1, 2], "x": ["a1"]',
        '["mkdir", "-p", "out"]', "['docker', 'run', '-p', '8080:80']", "pip install mysql -p", "max_tokens%3D512",
    ],
)  # fmt: skip
def test_ordinary_texts_stay(ordinary: str) -> None:
    if ordinary.startswith("xxxx"):
        ordinary = ordinary[1:]  # one short of a key
    assert text(ordinary) == ordinary
    assert hidden(ordinary) == ordinary


PLAIN = st.text(st.characters(exclude_characters="=:@%?&;~", exclude_categories=["Cs"]), max_size=80)


@given(PLAIN.filter(lambda drawn: not any(needle in drawn for row in SHAPES for needle in row.needles)))
def test_a_text_without_any_secret_does_not_change(drawn: str) -> None:
    assert text(drawn) == drawn
    assert hidden(drawn) == drawn


@given(st.text(), st.sampled_from(ROWS), st.text())
def test_what_stands_around_a_secret_hides_none(before: str, row: tuple[str, int], after: str) -> None:
    made, secret = MAKERS[row[0]][row[1]]()

    clean = text(f"{before} {made} {after}")

    assert secret not in clean
    assert text(clean) == clean


@given(st.text("aePKkoty12=:;,.@%/\\\"'`{}()$ -_\n", max_size=200))
def test_a_second_look_finds_nothing(drawn: str) -> None:
    clean = text(drawn)

    assert text(clean) == clean


REPEATED = [
    *("password=", "token=", "key=", 'Password="', "token='", '\\"token\\":\\"', "token=token:", "--password ", "sig="),
    *("--token ", "?sig=", "&code=", "?key=", "://a:", "https://a", ":%2F%2Fa%3A", "eyJ", "eyJ-", "eyJaaaaaaaaaaaa."),
    *("eyJaaaaaaaaaaaa-", ".", "-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\n", "Bearer ", "Basic "),
    *("bearer aaaaaaaaaaaaaaaaaaaa", "basic aaaaaaaa", "authorization: token ", "ghp_", "github_pat_", "glpat-"),
    *("xapp-", "hf_", "hf_a", "sk-", "sk-proj-", "sk-a", "dapi0", "npm_", "AIza", "ya29.", "AKIA", "SG.a", "1Q~", "=="),
    *("aaa1Q~", "JQQJ9", "AzSe", "a==", "%3D%3D", "\\", '\\"', '"', "password=a(", "password={", "password=)", ")"),
    *("password=a,", ";password= ", "Password=a;", "X_CONNECTION_STRING=", "secret: ", "hooks.slack.com/services/"),
    *(
        "xoxb-",
        "@",
        "curl ",
        "curl -u ",
        'curl "',
        "curl '",
        'curl \\"',
        "mysql -p",
        "mysql, ",
        "docker -a b ",
        "az login ",
    ),
    *(
        "htpasswd -b ",
        "htpasswd -b a ",
        "ldapsearch -w",
        "openssl -passin pass:",
        "sqlplus a/",
        "kubectl create secret ",
    ),
    *(
        "kubectl create secret ",
        "http ",
        "http -a ",
        "smbclient -U%",
        "az keyvault secret set ",
        "aws configure set ",
        "--from-literal=",
    ),
    *('"password": {', '"password": {"value": ', '"password": {"value": "', '\\"password\\": {\\"value\\": \\"a'),
    *('"password": [', '"password": ["a", ', '"password": [["'),
    *("password:\n ", "password:\n value: ", '"name": "password", ', '"token": {"enum": ["a", ', "password: {"),
    *("wandb login ", "sshpass -p", "-p ", "%25", "%253D", "%3Dpassword%3D", "%", "%C3", "curl%20-u%20a%3A"),
]


@pytest.mark.parametrize("version", [*(pytest.param(at, marks=pytest.mark.slow) for at in range(1, VERSION)), VERSION])
@pytest.mark.parametrize("piece", REPEATED)
def test_time_grows_with_the_length_alone(piece: str, version: int) -> None:
    """A pattern that began anew at each of 50,000 places would read 10 billion characters: pytest's limit ends it.

    Older versions of the table are settled: nothing changes them.
    """
    text("password=" + piece * (200_000 // len(piece)) + "@b", version)


@pytest.mark.slow
@pytest.mark.parametrize("piece", REPEATED)
def test_a_megabyte_of_each_beginning_takes_seconds(piece: str) -> None:
    """At most 8 s of CPU each when this was written, most of them 1."""
    text(piece * (1_000_000 // len(piece)))


def made_names() -> list[Made]:
    return [make() for makers in MAKERS.values() for make in makers]


def test_names_keep_their_difference() -> None:
    """Two metrics stay two, and the same one is the same tomorrow; nothing of the secret is in the name."""
    for made, secret in made_names():
        name = hidden(f"loss {made}")

        assert name == hidden(f"loss {made}") == hidden(name)
        assert not remains(secret, name)
        assert STARS not in name
    github, other = MAKERS["github"][0]()[0], MAKERS["github"][0]()[0]
    assert hidden(github) != hidden(other)
    assert len(hidden(github)) == len("redacted-") + 8
    assert len(hidden("password=" + github[4:])) == len("password=redacted-") + 4


def test_of_a_path_each_name_is_hidden_by_itself() -> None:
    token, part = MAKERS["github"][0]()[0], "part-0.parquet"

    assert hidden_path(f"outputs/{token}/{part}") == f"outputs/{hidden(token)}/{part}"
    assert hidden_path(f"outputs/password=abc/{part}") == f"outputs/{hidden('password=abc')}/{part}"
    assert hidden_path("outputs/model.pt") == "outputs/model.pt"
    for key in ("a/b" * 28 + "ab==", "AccountKey=" + "a/b1" * 10 + "a="):
        assert "a/b" not in hidden_path(f"outputs/{key}/x")


def test_version_2_stays_as_it_was() -> None:
    """Every row that it had finds what it found; nothing that came later does."""
    older, later = Rules(version=2), [row for row in SHAPES if row.since > 2]
    for row in later:
        for make in MAKERS[row.key]:
            made, _ = make()
            assert older.text(made) == older.name(made) == older.path(made) == made
            assert RULES.text(made) != made
    token, word = MAKERS["github"][0]()[0], MAKERS["named"][0]()[1]
    assert older.text(f"a {token} password={word}") == "a *** password=***"
    assert older.name(token) == RULES.name(token) != token
    assert older.path(f"outputs/{token}/x") == RULES.path(f"outputs/{token}/x") != f"outputs/{token}/x"
    for made in (f"%22password%22%3A%20%22{word}%22", f"x%3D%22Password%3D{word}"):
        assert older.text(made) == made or older.text(made).replace(STARS, word) == made
    encoded = f"%7B%22password%22%3A%20%22{word}%22%7D"
    assert (older.text(encoded), RULES.text(encoded)) == (encoded, encoded.replace(word, STARS))
    arguments = ["mysql", f"-p{word}"]
    assert older.document(arguments) == (arguments, [])
    assert RULES.document(arguments) == (["mysql", f"-p{STARS}"], ["1"])


def test_version_3_stays_as_it_was() -> None:
    """Its commands go on as far as they went, whatever is a command by now."""
    older, word = Rules(version=3), MAKERS["named"][0]()[1]
    for row in SHAPES:
        for make in MAKERS[row.key] if row.since > 3 else ():
            made, _ = make()
            assert older.text(made) == older.name(made) == older.path(made) == made
    line = f"curl --retry 3 https -u me:{word}"
    assert older.text(line) == RULES.text(line) == line.replace(word, STARS)
    arguments = ["time", "http", "curl", "-u", f"me:{word}"]
    assert older.document(arguments) == ([*arguments[:-1], f"me:{STARS}"], ["4"])
    assert older.document(["ldapsearch", "-w", word]) == (["ldapsearch", "-w", word], [])


def test_a_command_may_take_several_passwords() -> None:
    one, two = MAKERS["named"][0]()[1], MAKERS["named"][0]()[1]
    words = ["ldappasswd", "-w", one, "-x", f"-s{two}"]

    assert RULES.text(" ".join(words)) == f"ldappasswd -w {STARS} -x -s{STARS}"
    assert RULES.document(words) == (["ldappasswd", "-w", STARS, "-x", f"-s{STARS}"], ["2", "4"])


def test_a_list_of_arguments_is_a_command_line() -> None:
    """Wherever the command stands in it; a second look finds nothing, and other lists stay."""
    _, word = MAKERS["named"][0]()
    for before, behind in (
        (["sshpass", "-p"], ["ssh", "h"]),
        (["time", "/bin/docker", "login", "-p"], []),
        (["az", "login", "-p"], ["-u", "x"]),
    ):
        clean, found = RULES.document({"args": [*before, f"{word} '\"", *behind]})
        assert (clean, found) == ({"args": [*before, STARS, *behind]}, [f"args/{len(before)}"])
        assert RULES.document(clean) == (clean, [])
    clean, found = RULES.document(["curl", "-u", f"me:{word}", "x"])
    assert (clean, found) == (["curl", "-u", f"me:{STARS}", "x"], ["2"])
    for plain in (["mkdir", "-p", word], ["mysql", "-p", word], ["docker", 5, "-p", word], ["curl", None], ["az"]):
        assert RULES.document(plain) == (plain, [])


def test_version_1_stays_as_it_was() -> None:
    """What an archive of version 1 holds, and what its targets got, must not look changed."""
    older = Rules(version=1)
    token, jwt, key = (MAKERS[name][0]()[0] for name in ("github", "web-token", "private-key"))

    assert older.text(token) == token
    assert older.name(token) == older.path(token) == token
    assert older.text("Password=a1b2c3d4") == "Password=a1b2c3d4"
    assert older.text(f"a {jwt} b") == "a *** b"
    assert older.text(f"{key}\n") == "***\n"
    assert older.text(";Password=a1 b2;x") == ";Password=***;x"
    assert older.document({"--token": 1, token: token, "a": ["--password", "x"]}) == (
        {"--token": 1, token: token, "a": ["--password", "x"]},
        [],
    )
    assert RULES.document({token: "x", "a": ["--password", "x"]}) == (
        {hidden(token): "x", "a": ["--password", STARS]},
        [f"{hidden(token)} (its name)", "a/1"],
    )
