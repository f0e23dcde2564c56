"""Rows of the table of secrets for what stands behind an option of a known command (pure)."""

from __future__ import annotations

from azureml_replay.redact.commands import finder
from azureml_replay.redact.programs import COMMANDS
from azureml_replay.redact.shape import SecretShape


def _command(key: str, what: str, source: str) -> SecretShape:
    """A password behind an option, which is one behind this command only."""
    command = COMMANDS[key]
    return SecretShape(
        key=key,
        what=what,
        source=source,
        needles=command.needles,
        find=finder(key),
        chosen=True,
        since=command.since,
    )


BEHIND_OPTIONS = (
    _command("curl", "`curl -u user:…`, `-U`, `--user`, `--proxy-user`", "https://curl.se/docs/manpage.html#-u"),
    _command(
        "mysql",
        "`mysql -p…`, `mysqldump`, `mariadb` and their kin; not `mysql -p database`",
        "https://dev.mysql.com/doc/refman/8.4/en/password-security-user.html",
    ),
    _command("sshpass", "`sshpass -p …`", "https://linux.die.net/man/1/sshpass"),
    _command(
        "docker-login",
        "`docker login -p …`, also of `podman`, `buildah`, `skopeo`, `nerdctl`, `oras`",
        "https://docs.docker.com/reference/cli/docker/login",
    ),
    _command(
        "az", "`az login -p …`, `az acr login -p …`", "https://learn.microsoft.com/cli/azure/reference-index#az-login"
    ),
    _command(
        "mongosh",
        "`mongosh -p …`, `mongodump` and their kin",
        "https://www.mongodb.com/docs/mongodb-shell/reference/options",
    ),
    _command("redis-cli", "`redis-cli -a …`", "https://redis.io/docs/latest/develop/tools/cli"),
    _command("sqlcmd", "`sqlcmd -P …`, `bcp -P …`", "https://learn.microsoft.com/sql/tools/sqlcmd/sqlcmd-utility"),
    _command("wandb", "`wandb login …`, 40 hexadecimal digits", "https://docs.wandb.ai/ref/cli/wandb-login"),
    _command(
        "htpasswd",
        "`htpasswd -b file user …`, `-nb user …`; `mosquitto_passwd -b file user …`",
        "https://httpd.apache.org/docs/2.4/programs/htpasswd.html",
    ),
    _command(
        "ldap",
        "`ldapsearch -w …`, `ldapadd`, `ldapmodify` and their kin",
        "https://www.openldap.org/software/man.cgi?query=ldapsearch",
    ),
    _command(
        "ldappasswd",
        "`ldappasswd -w …`, `-a …`, `-s …`",
        "https://www.openldap.org/software/man.cgi?query=ldappasswd",
    ),
    _command(
        "samba",
        "`smbclient -U user%…`, `rpcclient`, `smbget` and their kin",
        "https://www.samba.org/samba/docs/current/man-html/smbclient.1.html",
    ),
    _command(
        "openssl",
        "`openssl … -passin pass:…`, `-passout`, `-pass`, `-password`",
        "https://docs.openssl.org/3.0/man1/openssl-passphrase-options",
    ),
    _command(
        "keytool",
        "`keytool -storepass …`, `-keypass`, `-srcstorepass` and their kin; `jarsigner`",
        "https://docs.oracle.com/en/java/javase/21/docs/specs/man/keytool.html",
    ),
    _command("zip", "`zip -P …`, `unzip -P …`", "https://linux.die.net/man/1/zip"),
    _command("7z", "`7z -p…`, `rar -p…`, `-hp…`", "https://documentation.help/7-Zip/password.htm"),
    _command("ipmitool", "`ipmitool -P …`", "https://linux.die.net/man/1/ipmitool"),
    _command(
        "mosquitto", "`mosquitto_pub -P …`, `--pw`, `mosquitto_sub`", "https://mosquitto.org/man/mosquitto_pub-1.html"
    ),
    _command("lftp", "`lftp -u user,…`", "https://lftp.yar.ru/lftp-man.html"),
    _command("httpie", "`http -a user:…`, `--auth`, `https`, `xh`", "https://httpie.io/docs/cli/authentication"),
    _command(
        "creds",
        "`podman pull --creds user:…`, `skopeo copy --src-creds user:… --dest-creds user:…`",
        "https://github.com/containers/skopeo/blob/main/docs/skopeo-copy.1.md",
    ),
    _command(
        "registry-login",
        "`helm registry login -p …`, also of `crane auth`, `regctl registry`, `apptainer remote`",
        "https://helm.sh/docs/helm/helm_registry_login",
    ),
    _command("cluster-login", "`oc login -p …`, `cf login -p …`", "https://cli.cloudfoundry.org/en-US/v8/login.html"),
    _command(
        "python-index",
        "`twine upload -p …`, `poetry publish -p …`",
        "https://twine.readthedocs.io/en/stable/#twine-upload",
    ),
    _command(
        "database-shells",
        "`cypher-shell -p …`, `cqlsh -p …`, `rabbitmqadmin -p …`",
        "https://neo4j.com/docs/operations-manual/current/cypher-shell",
    ),
    _command(
        "sqlplus",
        "`sqlplus user/…@database`",
        "https://docs.oracle.com/en/database/oracle/oracle-database/23/sqpug/starting-SQL-Plus.html",
    ),
    _command("ssh-keygen", "`ssh-keygen -N …`, `-P …`", "https://man.openbsd.org/ssh-keygen"),
    _command(
        "az-keyvault",
        "`az keyvault secret set --value …`",
        "https://learn.microsoft.com/cli/azure/keyvault/secret#az-keyvault-secret-set",
    ),
    _command(
        "kubectl",
        "`kubectl create secret … --from-literal=name=…`",
        "https://kubernetes.io/docs/reference/kubectl/generated/kubectl_create/kubectl_create_secret_generic",
    ),
    _command("gh", "`gh secret set NAME -b …`, `--body`", "https://cli.github.com/manual/gh_secret_set"),
    _command(
        "aws-configure",
        "`aws configure set aws_secret_access_key …`",
        "https://docs.aws.amazon.com/cli/latest/reference/configure/set.html",
    ),
)
"""Passwords that only their command tells."""
