#!/bin/sh
# Runs as root while the image is built, in the feature's folder; needs no network. POSIX sh: Debian, Alpine and others.
set -eu

place=/usr/local/share/bottle-egress
mkdir -p "$place" /etc/profile.d

# At every start of the container: the certificate is new whenever the egress is.
cat >"$place/start" <<'START'
#!/bin/sh
# Puts the egress's certificate into the bundles of public roots, for programs that read no variable. What an earlier
# start put there is taken out. Where the container's user may not write, the variables alone do.
ca=/trust/ca.pem
begin='# bottle-egress: begin'
end='# bottle-egress: end'

append() {
  rest=$(sed "/^$begin\$/,/^$end\$/d" "$1") || return 1
  # Into the same file: it may be what links lead to.
  printf '%s\n%s\n%s\n%s\n' "$rest" "$begin" "$(cat "$ca")" "$end" >"$1"
}

if [ ! -r "$ca" ]; then
  echo "bottle-egress: $ca is not there: is the volume of the service \`egress\` mounted at /trust?" >&2
  exit 0
fi
for bundle in /etc/ssl/certs/ca-certificates.crt /etc/ssl/cert.pem /etc/pki/tls/certs/ca-bundle.crt; do
  # Each file once: on Alpine the second is a link to the first.
  if [ ! -f "$bundle" ] || grep -qF "$(sed -n 2p "$ca")" "$bundle"; then continue; fi
  if [ -w "$bundle" ]; then
    append "$bundle" || echo "bottle-egress: cannot write $bundle" >&2
  else
    echo "bottle-egress: $bundle is not ours to write; the variables lead programs to /trust/bundle.pem" >&2
  fi
done
exit 0
START
chmod 755 "$place/start"

# Placeholders are new at every start of the egress, so login shells read them from its file.
cat >/etc/profile.d/bottle-egress.sh <<'PROFILE'
if [ -r /trust/env.sh ]; then . /trust/env.sh; fi
PROFILE
chmod 644 /etc/profile.d/bottle-egress.sh
