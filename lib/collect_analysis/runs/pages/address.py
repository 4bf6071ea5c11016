"""Where the application listens, and what makes that safe: this computer alone, a certificate, or a proxy in front."""

import ipaddress
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from collect_analysis.errors import ParameterError


@dataclass(frozen=True, kw_only=True)
class Address:
    """Host and port; certificate and key files for an encrypted connection; whether a proxy encrypts it."""

    host: str = "127.0.0.1"
    port: int = 8866
    certfile: Path | None = None
    keyfile: Path | None = None
    behind_proxy: bool = False

    @property
    def scheme(self) -> str:
        """Http or https."""
        return "https" if self.certfile else "http"

    def require_safe(self) -> None:
        """Refuse to send token and pages over a network unencrypted.

        Raises
        ------
        ParameterError
            The host is not this computer and there is neither a certificate nor a proxy; a key without a certificate; a host without address.
        """
        if self.keyfile and not self.certfile:
            raise ParameterError("--keyfile goes with --certfile; name the certificate as well")
        if not (self.certfile or self.behind_proxy or _is_this_computer(self.host)):
            raise ParameterError(
                f"--host {self.host or repr(self.host)} can be reached from other computers, and the token and the pages would travel readable; "
                "give --certfile (and --keyfile), or say --behind-proxy where a proxy in front encrypts the connection"
            )

    def encryption(self) -> ssl.SSLContext | None:
        """What encrypts the connection; None without a certificate.

        Raises
        ------
        ParameterError
            Certificate or key cannot be read, do not belong together, or the key asks for a password.
        """
        if not self.certfile:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            # Without a password given here a locked key would be asked for on the terminal, where nobody may sit.
            context.load_cert_chain(self.certfile, self.keyfile, password="")
        except (OSError, ValueError) as error:
            named = " and ".join(str(path) for path in (self.certfile, self.keyfile) if path)
            told = error.strerror or str(error) if isinstance(error, OSError) else str(error)
            raise ParameterError(
                f"{named}: cannot be used as certificate and key ({told}); give PEM files, the key without password"
            ) from None
        return context


def _is_this_computer(host: str) -> bool:
    """Whether everything a host name stands for is the loopback interface."""
    if not host:
        return False
    try:
        found = {str(item[4][0]) for item in socket.getaddrinfo(host, None)}
    except OSError as error:
        raise ParameterError(f"--host {host}: has no address ({error.strerror}); name this computer as 127.0.0.1") from None
    return all(ipaddress.ip_address(address.partition("%")[0]).is_loopback for address in found)
