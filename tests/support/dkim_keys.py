"""Keys to sign with: those that RFC 8463 publishes (appendix A.1), and some that are refused."""

from __future__ import annotations

from typing import Final

RSA: Final = """\
-----BEGIN RSA PRIVATE KEY-----
MIICXQIBAAKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQi
Y/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqM
KrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB
AoGAH0cxOhFZDgzXWhDhnAJDw5s4roOXN4OhjiXa8W7Y3rhX3FJqmJSPuC8N9vQm
6SVbaLAE4SG5mLMueHlh4KXffEpuLEiNp9Ss3O4YfLiQpbRqE7Tm5SxKjvvQoZZe
zHorimOaChRL2it47iuWxzxSiRMv4c+j70GiWdxXnxe4UoECQQDzJB/0U58W7RZy
6enGVj2kWF732CoWFZWzi1FicudrBFoy63QwcowpoCazKtvZGMNlPWnC7x/6o8Gc
uSe0ga2xAkEA8C7PipPm1/1fTRQvj1o/dDmZp243044ZNyxjg+/OPN0oWCbXIGxy
WvmZbXriOWoSALJTjExEgraHEgnXssuk7QJBALl5ICsYMu6hMxO73gnfNayNgPxd
WFV6Z7ULnKyV7HSVYF0hgYOHjeYe9gaMtiJYoo0zGN+L3AAtNP9huqkWlzECQE1a
licIeVlo1e+qJ6Mgqr0Q7Aa7falZ448ccbSFYEPD6oFxiOl9Y9se9iYHZKKfIcst
o7DUw1/hz2Ck4N5JrgUCQQCyKveNvjzkkd8HjYs0SwM0fPjK16//5qDZ2UiDGnOe
uEzxBDAr518Z8VFbR41in3W4Y3yCDgQlLlcETrS+zYcL
-----END RSA PRIVATE KEY-----
"""
"""An RSA key of 1024 bits, the least there may be."""
ED25519: Final = """\
-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
"""
"""An Ed25519 key: that of RFC 8032, section 7.1, test 1."""
SHORT: Final = """\
-----BEGIN RSA PRIVATE KEY-----
MIIBygIBAAJhAN8R/JjarH/sV1KgRrdNh+tEK7HwIRCOg4wmLgK8eqnsr41lqAW8
leAvNmCAhWHldJA5daMSM8+dY9pEgzMXhzvr5K/V5j7xvyOscAtcD6iAsDTktK2I
fYDep0ZVP8DzowIDAQABAmBGUjFDLox6t1K/5W7lkjdq3063BXAm/AZURCT1D93L
e6XL+WQCivTke3205k8mEWMa9kwB23/dqyDhMJbmvrOnQ+XLorNvWzJDndunB12G
PDot23m3j/4SOOocOvt8GwECMQDx76+KrUCciw5tG/xU/gJuIPMp6/Kko391VRvu
dEyMdgGhY9nhZ5YXZ1BesJbIvOECMQDsCY0YJxKCfHgRZX1othzLHzCTJDOD62W2
K7iRpD+lHXYyFr4cjOJtl7NtZ2bpXQMCMQCKUgvd0FH5bjNQREjO2u7Owf3kQObY
JDXyAjfW7Bz7zVf/SpQ+H7gbJ1E24eVDXWECMFxOG+RPG1j2DgpXkySI21e/2cIh
DRhQzRThoisqfU036UoLRMtrePz8r0lgf4lROwIwK5Ecopu8tBt6l8NYSOTReqcl
Uy11Makym82s3BeUThlx/vFtECUXH8TX1CRD7Q87
-----END RSA PRIVATE KEY-----
"""
"""An RSA key of 768 bits."""
SECRET_LINES: Final = (
    "6SVbaLAE4SG5mLMueHlh4KXffEpuLEiNp9Ss3O4YfLiQpbRqE7Tm5SxKjvvQoZZe",
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMRESsVpezJpGXA7rAMcrn9g",
    "dEyMdgGhY9nhZ5YXZ1BesJbIvOECMQDsCY0YJxKCfHgRZX1othzLHzCTJDOD62W2",
)
"""Of each of them a line of which nothing stands in its public half, for the watch for secrets."""
