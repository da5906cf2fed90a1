"""How bytes come here: connections, mirrors, logins, limits by host, and the content store that verifies them."""
