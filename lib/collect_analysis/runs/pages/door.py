"""Who may come in: whoever holds the token. A link or a form carries it once, a cookie stands for it afterwards."""

import hashlib
import hmac
import re
import secrets
from typing import Any
from urllib.parse import urlencode, urlsplit

from jupyter_server.auth.identity import IdentityProvider, User
from tornado import web
from tornado.log import app_log

from collect_analysis.report import texts
from collect_analysis.runs.page import POLICY, environment
from collect_analysis.runs.run_files import DamagedRun

MOST_PATH, MOST_QUERY = 1000, 1000
_COOKIE = "collect-pages-{port}"


class Key:
    """The token and the cookie that stands for it. The cookie tells nothing of the token, and is void once the token changes or for another audience."""

    def __init__(self, token: str, audience: str) -> None:
        self._token = token.encode()
        self.cookie = hmac.new(self._token, f"collect pages {audience}".encode(), hashlib.sha256).hexdigest()

    def opens(self, token: str) -> bool:
        """Whether this is the token; takes as long for any wrong one."""
        return hmac.compare_digest(token.encode(), self._token)

    def stands_for(self, cookie: str | None) -> bool:
        """Whether this cookie was given for the token."""
        return hmac.compare_digest((cookie or "").encode(), self.cookie.encode())


class Guarded(web.RequestHandler):
    """Every answer of the application: strict headers, entry with the token only, errors that show an id and nothing else."""

    open_to_all = False

    @property
    def key(self) -> Key:
        """What opens the door."""
        return self.settings["collect_key"]

    @property
    def cookie_name(self) -> str:
        """Cookies know no ports, so that two applications on one computer need two names."""
        return _COOKIE.format(port=self.settings["collect_port"])

    @property
    def lang(self) -> str:
        """The language asked for, else the browser's, else English."""
        asked = self.get_query_argument("lang", "")
        if asked in texts.LANGUAGES:
            return asked
        return "vi" if self.request.headers.get("Accept-Language", "").lower().startswith("vi") else "en"

    def set_default_headers(self) -> None:
        """Nothing may be framed, sniffed or loaded from elsewhere. Without any referrer a form would have no origin to check."""
        self.clear_header("Server")
        self.set_header("Content-Security-Policy", f"{POLICY}; frame-ancestors 'none'")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("X-Frame-Options", "DENY")
        self.set_header("Referrer-Policy", "same-origin")
        self.set_header("Cross-Origin-Opener-Policy", "same-origin")
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")
        self.set_header("Cache-Control", "private, no-cache")

    def let_in(self) -> bool:
        """Whether the request may go on; answers it otherwise (entry page, or the way on without the token in the address)."""
        if len(self.request.path) > MOST_PATH or len(self.request.query) > MOST_QUERY:
            raise web.HTTPError(414)
        if self.open_to_all or self.key.stands_for(self.get_cookie(self.cookie_name)):
            if self.get_query_argument("token", None) is not None:
                self.redirect(self._without_token())
                return False
            return True
        token = self.get_query_argument("token", "")
        if token and self.request.method in ("GET", "HEAD") and self.key.opens(token):
            self.give_cookie()
            self.redirect(self._without_token())
            return False
        self.set_status(403 if token else 401)
        self.finish(environment().get_template("door.html.j2").render(lang=self.lang, say=self.say, wrong=bool(token)))
        return False

    def give_cookie(self) -> None:
        """Let the browser in until it is closed."""
        secure = self.request.protocol == "https"
        self.set_cookie(self.cookie_name, self.key.cookie, httponly=True, samesite="Strict", secure=secure, path="/")

    def say(self, key: str, **values: object) -> str:
        """A word in the language of the reader."""
        return texts.say(key, self.lang, **values)

    def _without_token(self) -> str:
        given = self.request.query_arguments.items()
        rest = [(key, value.decode("utf-8", "replace")) for key, values in given if key != "token" for value in values]
        # One slash in front: two would lead to another host.
        path = "/" + re.sub(r"[\\\x00-\x1f]", "", self.request.path).lstrip("/")
        return path + (f"?{urlencode(rest)}" if rest else "")

    def prepare(self) -> Any:
        """Before any handler: is the reader let in?"""
        self.let_in()

    def write_error(self, status_code: int, **details: Any) -> None:
        """A page with a number and, where it was our fault, an id that stands in the log; nothing else."""
        known = {403: "error_403", 404: "error_404", 405: "error_404", 414: "error_414", 503: "error_503", 504: "error_504"}
        error = (details.get("exc_info") or (None, None))[1]
        word = known.get(status_code, "error_400" if status_code < 500 else "error_500")
        error_id = ""
        if status_code >= 500 and status_code != 503:
            error_id = secrets.token_hex(4)
            damaged = isinstance(error, DamagedRun)
            word = "error_damaged" if damaged else word
            app_log.error("error %s: %s: %s", error_id, self.request.path, error, exc_info=None if damaged else details.get("exc_info"))
        self.finish(environment().get_template("error.html.j2").render(lang=self.lang, say=self.say, word=word, error_id=error_id))

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Exceptions are logged once, by `write_error`, with the id the reader sees."""


class Enter(Guarded):
    """The form of the entry page."""

    open_to_all = True

    def get(self) -> None:
        """Who comes here by hand is led to the list, and from there to the form."""
        self.redirect("/")

    def post(self) -> None:
        """Take the token from the form."""
        origin = self.request.headers.get("Origin")
        if origin and urlsplit(origin).netloc != self.request.host:
            raise web.HTTPError(403)
        if not self.key.opens(self.get_body_argument("token", "")):
            self.set_status(403)
            self.finish(environment().get_template("door.html.j2").render(lang=self.lang, say=self.say, wrong=True))
            return
        self.give_cookie()
        self.redirect("/", status=303)


class Nothing(Guarded):
    """Every other address, of Voila too."""

    def get(self, *_: str) -> None:
        """There is nothing."""
        raise web.HTTPError(404)

    head = post = put = patch = delete = options = get


class TokenIdentity(IdentityProvider):
    """The same door for the handlers that come from Voila."""

    def get_user(self, handler: web.RequestHandler) -> User | None:
        """The one reader there is, if let in."""
        inside = isinstance(handler, Guarded) and handler.key.stands_for(handler.get_cookie(handler.cookie_name))
        return User(username="reader") if inside else None
