"""Secrets of every row of the table, made at run time from parts: none stands in the repository."""

from __future__ import annotations

import base64
import json
import secrets
import string
from collections.abc import Callable, Mapping
from typing import TypeAlias

Made: TypeAlias = "tuple[str, str]"
"""A text that holds a secret, and the secret."""

ALNUM = string.ascii_letters + string.digits


def chars(count: int, of: str = ALNUM) -> str:
    """Random ones, a digit among them."""
    return "".join(secrets.choice(of) for _ in range(count - 1)) + secrets.choice("0123456789")


def base64_of(size: int) -> str:
    return base64.b64encode(secrets.token_bytes(size)).decode()


def web_token(parts: int = 3) -> str:
    head = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT"}).encode()).decode().rstrip("=")
    return ".".join([head, *(secrets.token_urlsafe(30) for _ in range(parts - 1))])


def pem(*, end: bool = True, kind: str = "RSA ") -> str:
    lines = [base64_of(48) for _ in range(4)] + [chars(20)]
    begun = f"-----BEGIN {kind}PRIVATE" + " KEY-----\n" + "\n".join(lines)
    return begun + (f"\n-----END {kind}PRIVATE" + " KEY-----" if end else "")


def whole(secret: str) -> Made:
    return secret, secret


def after(before: str, secret: str, behind: str = "") -> Made:
    return before + secret + behind, secret


def login() -> str:
    return base64.b64encode(f"user:{chars(12)}".encode()).decode()


MAKERS: Mapping[str, tuple[Callable[[], Made], ...]] = {
    "aws-key-id": (
        lambda: whole("AKIA" + chars(16, string.ascii_uppercase)),
        lambda: whole("ASIA" + chars(16, string.ascii_uppercase)),
    ),
    "github": (
        *(lambda kind=kind: whole(f"gh{kind}_" + chars(36)) for kind in "pousr"),
        lambda: whole("github" + "_pat_" + chars(22) + "_" + chars(59)),
    ),
    "gitlab": (
        *(lambda kind=kind: whole(f"gl{kind}-" + chars(20)) for kind in ("pat", "dt", "rt", "ptt", "cbt")),
        lambda: whole("glpat" + "-" + chars(27) + ".01." + chars(9)),
    ),
    "slack": (
        *(lambda kind=kind: whole(f"xox{kind}-{chars(12, string.digits)}-{chars(24)}") for kind in "bpase"),
        lambda: whole("xapp" + f"-1-{chars(11)}-{chars(13, string.digits)}-{chars(64)}"),
    ),
    "slack-webhook": (lambda: after("https://hooks.slack.com/services/", f"T{chars(8)}/B{chars(8)}/{chars(24)}"),),
    "hugging-face": (lambda: whole("hf" + "_" + chars(34)), lambda: whole("api_org" + "_" + chars(34))),
    "openai": (
        lambda: whole("sk" + "-" + chars(48)),
        lambda: whole("sk" + "-proj-" + chars(40) + "_" + chars(40)),
        lambda: whole("sk" + "-ant-api03-" + chars(93)),
    ),
    "databricks": (
        lambda: whole("da" + "pi" + secrets.token_hex(16)),
        lambda: whole("da" + "pi" + secrets.token_hex(16) + "-2"),
    ),
    "npm": (lambda: whole("npm" + "_" + chars(36)),),
    "pypi": (lambda: whole("pypi" + "-AgEIcHlwaS5vcmc" + chars(60)),),
    "google": (
        lambda: whole("AI" + "za" + chars(35)),
        lambda: whole("ya" + "29." + chars(60)),
        lambda: whole("GOC" + "SPX-" + chars(28)),
    ),
    "stripe": (lambda: whole("sk" + "_live_" + chars(24)), lambda: whole("rk" + "_test_" + chars(24))),
    "sendgrid": (lambda: whole("SG" + "." + chars(22) + "." + chars(43)),),
    "docker": (lambda: whole("dckr" + "_pat_" + chars(27)),),
    "entra-secret": (lambda: whole(chars(3) + "8Q" + "~" + chars(34)),),
    "azure-annotated": (
        lambda: whole(chars(52) + "JQQ" + "J99BA" + chars(24)),
        lambda: whole(chars(42) + "Az" + "SeA" + chars(5)),
        lambda: whole(chars(44) + "Az" + "Fu" + chars(5) + "A=="),
    ),
    "azure-storage-key": (
        lambda: whole(base64_of(64)),
        lambda: after("key ", base64_of(64)),
    ),
    "private-key": (
        lambda: whole(pem()),
        lambda: whole(pem(end=False)),
        lambda: whole(pem(kind="")),
        lambda: whole(pem(kind="ENCRYPTED ")),
    ),
    "web-token": (lambda: whole(web_token()), lambda: whole(web_token(5))),
    "bearer": (lambda: after("Bearer ", chars(40)), lambda: after("authorization: bearer ", chars(24))),
    "basic": (lambda: after("Basic ", login()), lambda: after("Authorization: Basic ", login())),
    "authorization": (
        lambda: after("Authorization: SharedKey ", "acct:" + chars(43)),
        lambda: after("authorization: token ", chars(40)),
    ),
    "url-login": (
        lambda: after("https://user:", chars(12), "@host.example/r.git"),
        lambda: after("https://user:", f"p{chars(3)}@{chars(4)}", "@host.example/r"),
        lambda: after("postgresql+psycopg2://u:", f"p%40{chars(6)}", "@db.example:5432/x"),
        lambda: after("https%3A%2F%2Fuser%3A", chars(10), "%40host.example%2Fr"),
        lambda: after("https:\\/\\/u:", chars(12), "@host.example"),
    ),
    "url-token": (lambda: after("https://", chars(40), "@github.com/o/r.git"),),
    "sas": (
        lambda: after("https://a.blob.core.windows.net/c/x?sv=1&sig=", secrets.token_hex(20) + "%3D", "&se=2"),
        lambda: after("sig=", secrets.token_hex(20) + "%3D"),
        lambda: after("SharedAccessSignature sr=x&sig=", secrets.token_hex(20) + "%3D", "&se=1&skn=k"),
    ),
    "url-secret": (
        lambda: after("https://f.azurewebsites.net/api/x?code=", chars(56)),
        lambda: after("https://maps.example/x?a=1&key=", chars(39)),
        lambda: after("https://b.s3.amazonaws.com/x?X-Amz-Signature=", secrets.token_hex(32)),
        lambda: after("https%3A%2F%2Ff.example%2Fx%3Fcode%3D", chars(56)),
    ),
    "named": (
        lambda: after("Password=", chars(12)),
        lambda: after("Password=", chars(9), ";Server=s"),
        lambda: after("Server=s;User=u;Password=", chars(5) + " " + chars(5), ";Encrypt=yes"),
        lambda: after("Endpoint=sb://x/;SharedAccessKeyName=k;SharedAccessKey=", base64_of(32), ";EntityPath=x"),
        lambda: after("AccountName=a;AccountKey=", base64_of(20), ";EndpointSuffix=x"),
        lambda: after("STORAGE_KEY=", chars(32)),
        lambda: after("HF_TOKEN=", chars(20)),
        lambda: after("export DB_PASSWORD=", chars(9)),
        lambda: after("python train.py --password ", chars(9)),
        lambda: after("python train.py --api-key ", chars(20), " --epochs 3"),
        lambda: after("python train.py --some-token=", chars(20), " --epochs 3"),
        lambda: after("python train.py --password '", chars(9), "' -v"),
        lambda: after('["train", "--password", "', chars(9), '", "-v"]'),
        lambda: after('{"api_key": "', chars(9), '"}'),
        lambda: after("{'client_secret': '", chars(9), "', 'x': 1}"),
        lambda: after('{\\"password\\": \\"', f'a{chars(3)}\\\\\\"{chars(3)}', '\\"}'),
        lambda: after("x-functions-key: ", chars(56)),
        lambda: after("Ocp-Apim-Subscription-Key: ", secrets.token_hex(16)),
        lambda: after("aws_secret_access_key = ", chars(40)),
        lambda: after("login failed, password: ", "ab" + chars(7)),
        lambda: after("a=1&password%3D", chars(9), "&b=2"),
    ),
    "channel-token": (
        lambda: after("- https://conda.anaconda.org/t/", f"ab-1{secrets.token_hex(16)}", "/team\n"),
        lambda: after("conda install -c https://repo.example:8443/t/", f"a1{chars(20)}", "/x y"),
    ),
    "held": (
        lambda: after('{"db_password": {"jobInputType": "literal", "value": "', chars(9), '"}}'),
        lambda: after("{'api_key': {'type': 'string', 'default': '", chars(9), "', 'optional': True}}"),
        lambda: after('"HF_TOKEN": {"what": "a {b} \\"c\\"", "x": {"y": 1}, "defaultValue": "', chars(9), '"}'),
        lambda: after('[{"name": "db_password", "type": 0, "Value": "', chars(9), '"}]'),
        lambda: after('"secret": {\n  "type": "string",\n  "default": "', chars(9), '"\n}'),
        lambda: after('"parameter_space": {"db_password": ["choice", [["', chars(9), '"]]], "lr": ["choice", [[1]]]}'),
        lambda: after('"apiKey": {"type": "choice", "values": ["none", "', chars(9), '"]}'),
        lambda: after("db_password:\n    type: string\n    default: ", chars(9), "\n    optional: true\n"),
        lambda: after("api_key:  # of the store\n  deep:\n    value: no\n  default: '", chars(9), "'\n"),
    ),
    "dashed": (
        lambda: after("java Tool -password ", chars(9), " in.jks"),
        lambda: after('["java", "Tool", "-password", "', chars(9), '"]'),
        lambda: after("java Tool -accessToken ", chars(20)),
    ),
    "curl": (
        lambda: after("curl -u user:", chars(9), " https://h.example/p"),
        lambda: after("curl -sSL --fail -uuser:", chars(9), " https://h.example/p"),
        lambda: after("/usr/bin/curl https://h.example/p --user 'user:", f"{chars(4)} {chars(4)}", "' -o x"),
        lambda: after('curl -H "a; b" -skU "user:', chars(9), '" https://h.example'),
        lambda: after('["curl", "--proxy-user", "user:', chars(9), '", "https://h.example"]'),
        lambda: after("curl \\\n  --user user:", chars(9), " \\\n  https://h.example"),
    ),
    "mysql": (
        lambda: after("mysql -h db -u root -p", chars(9), " shop < dump.sql"),
        lambda: after("mysqldump -uroot -p'", chars(9), "' shop | gzip"),
        lambda: after("['mariadb', '-uroot', '-p", chars(9), "', 'shop']"),
    ),
    "sshpass": (
        lambda: after("sshpass -p ", chars(9), " ssh me@host.example"),
        lambda: after("sshpass -p'", chars(9), "' scp a me@host.example:b"),
    ),
    "docker-login": (
        lambda: after("docker login -u me -p ", chars(9), " registry.example && mkdir -p out"),
        lambda: after("podman --log-level debug login registry.example -u me -p ", chars(9)),
    ),
    "az": (
        lambda: after("az login --service-principal -u 1 -p ", chars(20), " --tenant t"),
        lambda: after('["az", "acr", "login", "-n", "r", "-u", "me", "-p", "', chars(20), '"]'),
    ),
    "mongosh": (lambda: after("mongodump --host h -u me -p ", chars(9), " --archive"),),
    "redis-cli": (lambda: after("redis-cli -h cache.example -a ", chars(9), " ping"),),
    "sqlcmd": (
        lambda: after("sqlcmd -S s.example -U me -P ", chars(9), " -Q 'select 1'"),
        lambda: after('bcp db.t in f -U me -P"', chars(9), '" -c'),
    ),
    "htpasswd": (
        lambda: after("htpasswd -b /etc/nginx/.htpasswd me ", chars(9), " && nginx"),
        lambda: after("htpasswd -C 12 -cbB users me '", f"{chars(4)} {chars(4)}", "'"),
        lambda: after('["htpasswd", "-nbB", "me", "', chars(9), '"]'),
        lambda: after("mosquitto_passwd -b passwords me ", chars(9)),
    ),
    "ldap": (
        lambda: after("ldapsearch -x -D cn=me,dc=example -w ", chars(9), " -b dc=example '(uid=x)'"),
        lambda: after("ldapmodify -H ldaps://h -xw ", chars(9), " -f change.ldif"),
        lambda: after("['ldapwhoami', '-w", chars(9), "', '-v']"),
    ),
    "ldappasswd": (
        lambda: after("ldappasswd -D cn=me -W -s ", chars(9), " uid=x"),
        lambda: after("ldappasswd -x -w ", chars(9)),
    ),
    "samba": (
        lambda: after("smbclient //server/share -U me%", chars(9), " -c 'ls'"),
        lambda: after("rpcclient --user=me%", chars(9), " server"),
        lambda: after("smbget -U 'DOMAIN/me%", chars(9), "' smb://server/share/f"),
    ),
    "openssl": (
        lambda: after("openssl pkcs12 -in a.pfx -nodes -passin pass:", chars(9), " -out a.pem"),
        lambda: after('openssl rsa -in a -passout "pass:', chars(9), '" -aes256'),
    ),
    "keytool": (
        lambda: after("keytool -importkeystore -srcstorepass ", chars(9), " -srckeystore a.p12"),
        lambda: after("jarsigner -keystore k -keypass ", chars(9), " a.jar me"),
    ),
    "zip": (
        lambda: after("zip -r -P ", chars(9), " out.zip outputs"),
        lambda: after("unzip -oP '", chars(9), "' in.zip"),
    ),
    "7z": (
        lambda: after("7z x -p", chars(9), " data.7z"),
        lambda: after("rar a -hp", chars(9), " out.rar x"),
    ),
    "ipmitool": (lambda: after("ipmitool -I lanplus -H h -U me -P ", chars(9), " power status"),),
    "mosquitto": (
        lambda: after("mosquitto_pub -h h -u me -P ", chars(9), " -t x -m y"),
        lambda: after("mosquitto_sub --pw ", chars(9), " -t x"),
    ),
    "lftp": (lambda: after("lftp -u me,", chars(9), " sftp://h.example"),),
    "httpie": (
        lambda: after("http -a me:", chars(9), " GET h.example/p"),
        lambda: after("https --auth=me:", chars(9), " h.example/p"),
    ),
    "creds": (
        lambda: after("skopeo copy --dest-creds me:", chars(9), " a b"),
        lambda: after("podman pull --creds=me:", chars(9), " registry.example/x"),
    ),
    "registry-login": (
        lambda: after("helm registry login registry.example -u me -p ", chars(9)),
        lambda: after("crane auth login registry.example -u me -p ", chars(9), " && x"),
    ),
    "cluster-login": (lambda: after("oc login https://h:6443 -u me -p ", chars(9)),),
    "python-index": (
        lambda: after("twine upload -u me -p ", chars(9), " dist/*"),
        lambda: after("poetry publish --build -u me -p ", chars(9)),
    ),
    "database-shells": (lambda: after("cypher-shell -a bolt://h -u me -p ", chars(9), " 'MATCH (n)'"),),
    "sqlplus": (lambda: after("sqlplus -s me/", chars(9) + "@orders", " @report"),),
    "ssh-keygen": (
        lambda: after("ssh-keygen -t ed25519 -f key -N ", chars(9), " -C me"),
        lambda: after("ssh-keygen -p -P '", chars(9), "' -f key"),
    ),
    "az-keyvault": (
        lambda: after("az keyvault secret set --vault-name v -n x --value ", chars(20)),
        lambda: after('["az", "keyvault", "secret", "set", "--value=', chars(20), '"]'),
    ),
    "kubectl": (
        lambda: after("kubectl -n jobs create secret generic x --from-literal=key=", chars(12), " --dry-run"),
        lambda: after("kubectl create secret generic x --from-literal 'word=", chars(12), "'"),
    ),
    "gh": (lambda: after("gh secret set DEPLOY -b ", chars(20), " -R o/r"),),
    "aws-configure": (
        lambda: after("aws configure set aws_secret_access_key ", chars(40), " --profile me"),
        lambda: after("aws --region r configure set aws_session_token ", chars(60)),
    ),
    "wandb": (
        lambda: after("wandb login ", secrets.token_hex(20)),
        lambda: after("wandb login --relogin --host https://w.example ", secrets.token_hex(20), " || true"),
    ),
}
"""Row of the table -> what makes texts of it."""
