"""The table of what is taken for a secret by its shape, each row with its source (pure).

It has a version, and an archive keeps the one that it began with: a value, a metric's name or a file's that is redacted
otherwise than before would reach a target a second time. A row never changes what it finds: one that finds more is a
further row, of a new version. What version 1 found is in `older`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from azureml_replay.redact.command_shapes import BEHIND_OPTIONS
from azureml_replay.redact.finders import Place, basic_logins, private_keys, web_tokens
from azureml_replay.redact.held import held_values
from azureml_replay.redact.named import dashed_values, named_values
from azureml_replay.redact.shape import Find, SecretShape

VERSION = 6
"""The version of the table below."""
ENCODED_SINCE = COMMANDS_SINCE = 3
"""The versions since which a text is searched once more as what it says where it is written for a URL, and since which
known commands tell what their options are."""
HELD_SINCE = 5
"""The version since which a name tells also what a mapping below it, or a pair, holds as its value or default."""
DASHED_SINCE = 6
"""The version since which options with one dash say what follows them, as those with two do."""


def _begin(inside: str = "A-Za-z0-9") -> str:
    """Where a secret may begin: not after one of its own characters, unless that is the end of an escape, as `%3D`."""
    return rf"(?:(?<![{inside}])|(?<=\\[nrtbf])|(?<=%[0-9A-Fa-f]{{2}})|(?<=\\u[0-9A-Fa-f]{{4}}))"


_BASE64 = r"\w+/"
_NO_NAME = _begin(r"\w.-")
_SPACE = r"(?:\s{1,4}|%20|\+)"
_IN_URL = r"(?:[^&\s\"'`<>\\;,)%#]|%(?!26)[0-9A-Fa-f]{2})"


def _by(pattern: str) -> Find:
    """Finds what a pattern matches, or its group, where it has one: the rest is context, and stays."""
    return partial(_places, re.compile(pattern))


def _places(pattern: re.Pattern[str], value: str) -> Iterator[Place]:
    return (found.span(found.lastgroup or 0) for found in pattern.finditer(value))


GITLEAKS = "https://github.com/gitleaks/gitleaks/blob/master/config/gitleaks.toml"
PURVIEW = "https://learn.microsoft.com/purview"
UTILITIES = "https://github.com/microsoft/security-utilities"


def _token(key: str, what: str, source: str, needles: str, pattern: str) -> SecretShape:
    """A token of a provider, known by its beginning: of such a form is nothing else."""
    return SecretShape(key=key, what=what, source=source, needles=tuple(needles.split()), find=_by(_begin() + pattern))


PROVIDERS = (
    _token(
        "aws-key-id",
        "AWS: `AKIA…`, `ASIA…`, `ABIA…`, `ACCA…` and 16 capitals or digits",
        GITLEAKS,
        "AKIA ASIA ABIA ACCA",
        r"A(?:KIA|SIA|BIA|CCA)[A-Z0-9]{16}(?![A-Za-z0-9])",
    ),
    _token(
        "github",
        "GitHub: `ghp_…`, `gho_…`, `ghu_…`, `ghs_…`, `ghr_…`, `github_pat_…`",
        "https://github.blog/changelog/2021-03-31-authentication-token-format-updates-are-generally-available",
        "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_",
        r"(?:gh[pousr]_[A-Za-z0-9_]{20,}|github_pat_\w{22,})",
    ),
    _token(
        "gitlab",
        "GitLab: `glpat-…`, `gldt-…`, `glrt-…`, `glcbt-…`, `glptt-…` and the like",
        "https://docs.gitlab.com/security/tokens/#token-prefixes",
        "glpat- gldt- glrt- glcbt- glptt- glft- glsoat- glimt- glagent- gloas- glffct- glwt-",
        r"gl(?:pat|dt|rt|cbt|ptt|ft|soat|imt|agent|oas|ffct|wt)-[\w-]{20,}(?:\.[\w-]{2,})*",
    ),
    _token(
        "slack",
        "Slack: `xoxb-…`, `xoxp-…` and the like, `xapp-…`",
        "https://docs.slack.dev/authentication/tokens",
        "xox xapp-",
        r"(?:xox[a-z](?:\.xox[bp])?-[\w%-]{10,}|xapp-[\w-]{10,})",
    ),
    SecretShape(
        key="slack-webhook",
        what="Slack: the path of a webhook, `https://hooks.slack.com/services/…`",
        source=GITLEAKS,
        needles=("hooks.slack.com",),
        find=_by(r"hooks\.slack\.com(?:/|%2F)(?:services|workflows|triggers)(?:/|%2F)(?P<secret>[\w/%+-]{20,})"),
    ),
    _token(
        "hugging-face",
        "Hugging Face: `hf_…`, `api_org_…`",
        GITLEAKS,
        "hf_ api_org_",
        r"(?:hf_|api_org_)[A-Za-z0-9]{30,}",
    ),
    _token(
        "openai",
        "OpenAI, Anthropic and others of this form: `sk-…`, `sk-proj-…`, `sk-ant-…`",
        "https://openrouter.ai/docs/guides/features/guardrails/secret-formats",
        "sk-",
        r"sk-(?:(?:proj|svcacct|admin|None|ant|or|lf)-[\w-]{20,}|[A-Za-z0-9]{32,})",
    ),
    _token(
        "databricks",
        "Databricks: `dapi` and 32 hexadecimal digits",
        "https://docs.aws.amazon.com/secretsmanager/latest/userguide/mes-partner-DatabricksPAT.html",
        "dapi",
        r"dapi[0-9a-f]{32}(?:-\d)?(?![0-9a-f])",
    ),
    _token(
        "npm",
        "npm: `npm_` and 36 letters or digits",
        GITLEAKS,
        "npm_",
        r"npm_[A-Za-z0-9]{36,}",
    ),
    _token(
        "pypi",
        "PyPI: `pypi-AgE…`",
        GITLEAKS,
        "pypi-",
        r"pypi-AgE[\w-]{50,}",
    ),
    _token(
        "google",
        "Google: `AIza` and 35 characters, `ya29.…`, `GOCSPX-…`",
        f"{PURVIEW}/sit-defn-google-api-key",
        "AIza ya29. GOCSPX-",
        r"(?:AIza[\w-]{35}|ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,})",
    ),
    _token(
        "stripe",
        "Stripe: `sk_live_…`, `rk_live_…`, `sk_test_…`",
        GITLEAKS,
        "_live_ _test_ _prod_",
        r"(?:sk|rk)_(?:live|test|prod)_[A-Za-z0-9]{16,}",
    ),
    _token("sendgrid", "SendGrid: `SG.….…`", GITLEAKS, "SG.", r"SG\.[\w-]{16,32}\.[\w-]{32,64}"),
    _token(
        "docker",
        "Docker Hub: `dckr_pat_…`",
        "https://docs.docker.com/reference/api/hub/latest/operations/AuthCreateAccessToken",
        "dckr_pat_",
        r"dckr_pat_[\w-]{20,}",
    ),
    SecretShape(
        key="entra-secret",
        what="Microsoft Entra: a client secret, known by `8Q~`, `7Q~` and the like as its fourth to sixth character",
        source=UTILITIES,
        needles=("Q~",),
        find=_by(_begin(r"\w~.-") + r"[\w~.-]{3}\dQ~[\w~.-]{31,34}(?![\w~-])"),
    ),
    SecretShape(
        key="azure-annotated",
        what="Azure: keys with a signature in them, `JQQJ9…` (AI services), `AzSe` (Search), `AzFu` (Functions)",
        source=UTILITIES,
        needles=("JQQJ9", "AzSe", "AzFu"),
        find=_by(
            _begin() + r"(?:[A-Za-z0-9]{52}JQQJ9[9DH][A-Za-z0-9]{24,28}(?:==)?"
            r"|[A-Za-z0-9]{42}AzSe[A-D][A-Za-z0-9]{5}|[\w-]{44}AzFu[\w-]{5}[AQgw](?:==|%3[dD]%3[dD]))(?![A-Za-z0-9])"
        ),
    ),
    SecretShape(
        key="azure-storage-key",
        what="Azure: the key of a storage or Cosmos account, 86 characters of base64 and `==`",
        source=f"{PURVIEW}/sit-defn-azure-storage-account-key-generic",
        needles=("==", "%3D%3D", "%3d%3d"),
        find=_by(
            rf"{_begin(_BASE64)}[A-Za-z0-9+/]{{86}}==(?![\w+=])"
            rf"|{_begin()}(?:[A-Za-z0-9+/]|%2[bBfF]){{86}}%3[dD]%3[dD]"
        ),
    ),
)
"""Tokens that are known by themselves."""

GENERAL = (
    SecretShape(
        key="private-key",
        what="`-----BEGIN … PRIVATE KEY-----`, also where its end is missing",
        source="https://www.rfc-editor.org/rfc/rfc7468",
        needles=("-----BEGIN",),
        find=private_keys,
    ),
    SecretShape(
        key="web-token",
        what="JSON Web Tokens: `eyJ….….…`, encrypted ones too",
        source="https://www.rfc-editor.org/rfc/rfc7519",
        needles=("eyJ",),
        find=web_tokens,
    ),
    SecretShape(
        key="bearer",
        what="`Bearer …`, 20 characters or more with a digit among them",
        source="https://www.rfc-editor.org/rfc/rfc6750",
        needles=("earer", "EARER"),
        find=_by(rf"(?i){_begin()}bearer{_SPACE}(?=[^\s\"']{{0,400}}\d)(?P<secret>[\w.~+/-]{{20,}}=*)"),
    ),
    SecretShape(
        key="basic",
        what="`Basic …`, the base64 of `user:password`",
        source="https://www.rfc-editor.org/rfc/rfc7617",
        needles=("asic", "ASIC"),
        find=basic_logins,
        chosen=True,
    ),
    SecretShape(
        key="authorization",
        what="`Authorization: SharedKey …` and other schemes",
        source="https://www.rfc-editor.org/rfc/rfc9110#section-11.6.2",
        needles=("uthorization", "UTHORIZATION"),
        find=_by(
            rf"(?i){_begin()}authorization\\{{0,16}}[\"']?\s{{0,4}}(?:[:=]|%3[aAdD])(?:\s|%20){{0,4}}\\{{0,16}}[\"']?"
            r"(?:token|apikey|api-key|sharedkey|sharedkeylite|sharedaccesssignature|digest|negotiate|ntlm)"
            rf"{_SPACE}(?P<secret>[^\s\"'\\<&]{{8,}})"
        ),
    ),
    SecretShape(
        key="url-login",
        what="`https://user:password@host`",
        source="https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1",
        needles=("@", "%40"),
        find=_by(
            r"(?::|%3[aA])(?:\\{0,8}/|%2[fF]){2}(?:[^/\s:@?#\"'<>\\%]|%(?!3[aA]|2[fF])){0,400}(?::|%3[aA])"
            r"(?P<secret>(?!\$[({A-Za-z_]|\{[\w.]{0,60}\}@|<)(?:[^/\s?#\"'<>\\%]|%(?!2[fF]))+)(?:@|%40)(?=[\w\[-])"
        ),
        chosen=True,
    ),
    SecretShape(
        key="url-token",
        what="`https://token@host`, 20 letters and digits or more",
        source="https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1",
        needles=("@", "%40"),
        find=_by(
            _begin() + r"https?(?::|%3[aA])(?:\\{0,8}/|%2[fF]){2}(?P<secret>(?=[\w-]{0,60}\d)[\w-]{20,400})(?:@|%40)"
        ),
    ),
    SecretShape(
        key="channel-token",
        what="`https://host/t/…/channel`, 16 characters or more: a conda channel's",
        source="https://docs.conda.io/projects/conda/en/stable/user-guide/configuration/use-condarc.html",
        needles=("/t/",),
        find=_by(r"https?:/{2}[^/\s\"']{1,253}/t/(?P<secret>(?=[\w-]{0,60}\d)[\w-]{16,200})(?=[/\s\"']|$)"),
        since=HELD_SINCE,
    ),
    SecretShape(
        key="sas",
        what="`sig=…` of a shared access signature (Azure Storage, Service Bus, Logic Apps)",
        source=f"{PURVIEW}/sit-defn-azure-sas",
        needles=("ig=", "IG=", "ig%3", "IG%3", "ig%253"),
        find=_by(
            r"(?i)(?:(?:(?<=[?&;])|(?<=%26)|(?<=%3f))(?:amp;)?sig(?:=|%3d|%253d)"
            rf"(?P<secret>{_IN_URL}+)|{_NO_NAME}sig(?:=|%3d)(?P<bare>[\w+/%-]{{20,}}=?))"
        ),
    ),
    SecretShape(
        key="url-secret",
        what="`?code=…`, `?key=…` of 16 characters or more; `X-Amz-Signature=…`, `X-Goog-Signature=…`",
        source="https://learn.microsoft.com/azure/azure-functions/function-keys-how-to",
        needles=("=", "%3", "%25"),
        find=_by(
            r"(?:[?&;]|%(?:25)?3[fF]|%(?:25)?26)(?:amp;)?(?:(?i:code|key)(?:=|%(?:25)?3[dD])(?=[^&\s]{0,64}\d)"
            rf"(?P<secret>{_IN_URL}{{16,}})"
            rf"|(?i:x-(?:amz|goog|ms)-(?:signature|security-token))(?:=|%(?:25)?3[dD])(?P<bare>{_IN_URL}+))"
        ),
    ),
    SecretShape(
        key="named",
        what='`Password=…`, `NAME_KEY=…`, `--token …`, `"api_key": "…"`: values of names that say secret',
        source="https://learn.microsoft.com/azure/storage/common/storage-configure-connection-string",
        needles=("=", ":", "--", "%3"),
        find=named_values,
        chosen=True,
    ),
    SecretShape(
        key="held",
        what='`"api_key": {"value": "…"}`, `default`, `["choice", …]`, also in YAML; `"name": "api_key", "value": "…"`',
        source="https://learn.microsoft.com/azure/machine-learning/reference-yaml-component-command",
        needles=(":",),
        find=held_values,
        chosen=True,
        since=HELD_SINCE,
    ),
    SecretShape(
        key="dashed",
        what="`-password …`, `-token …`: options with one dash that say secret, also where nothing else has a name",
        source="https://docs.oracle.com/en/java/javase/17/docs/specs/man/keytool.html",
        needles=("-",),
        find=dashed_values,
        chosen=True,
        since=DASHED_SINCE,
    ),
)
"""Forms of any provider."""


SHAPES = (*PROVIDERS, *GENERAL, *BEHIND_OPTIONS)
"""All rows: those of high precision first."""

IN_PATHS = SecretShape(
    key="key-in-path",
    what="keys in base64, whose slashes part a path",
    source=GENERAL[-1].source,
    needles=("=",),
    find=_by(r"(?<=[kK]ey=)[A-Za-z0-9+/]{16,}={1,2}|(?<=/)[A-Za-z0-9+/]{86}=="),
    chosen=True,
)
"""Beside the rows, in a path: without it half of such a key would stay."""
