#!/bin/sh
# Makes a Debian 12 machine serve the sample app under PassengerEnabled On: installs from the checkout with
# `make install`, writes a VirtualHost, restarts Apache. As root. Running it again changes nothing but what the
# checkout changed.
#
#   CHECKOUT  where the sources are (default: /vagrant, else the folder above this script)
#   LISTEN    what Apache listens on (default: 80)
set -eu
umask 022 # what is made here is for Apache's and the app's users

LISTEN=${LISTEN:-80}
if [ -z "${CHECKOUT:-}" ]; then
    if [ -e /vagrant/Makefile ]; then CHECKOUT=/vagrant; else CHECKOUT=$(cd "$(dirname "$0")/.." && pwd); fi
fi
app=/srv/jumpseat-demo
owner=demo

# 1. What the checkout's own Makefile needs; it installs the rest itself.
if ! command -v make >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update
    apt-get -qq install -y --no-install-recommends make >/dev/null
fi
make --no-print-directory -C "$CHECKOUT" install

# 2. The sample app, owned by the user that it is to run as.
id "$owner" >/dev/null 2>&1 || useradd --system --create-home --shell /bin/sh "$owner"
mkdir -p "$app/tmp"
cp -R "$CHECKOUT/examples/demo/." "$app"
chown -R "$owner:" "$app"
chmod -R u=rwX,go=rX "$app" # whatever a umask has made of the checkout

# 3. The site.
sed -i "s/^Listen 80\$/Listen $LISTEN/" /etc/apache2/ports.conf
cat >/etc/apache2/sites-available/jumpseat-demo.conf <<SITE
<VirtualHost *:${LISTEN##*:}>
    ServerName jumpseat.example
    DocumentRoot $app/public
    PassengerEnabled On
    <Directory $app/public>
        Require all granted
    </Directory>
</VirtualHost>
SITE
a2dissite -q 000-default >/dev/null 2>&1 || true
a2ensite -q jumpseat-demo >/dev/null
apache2ctl configtest

# 4. Serve. Without systemd (containers) Apache's own init script does it.
if [ -d /run/systemd/system ]; then
    systemctl enable --quiet apache2
    systemctl restart apache2
else
    service apache2 restart
fi
touch "$app/tmp/restart.txt"
echo "Serving: http://127.0.0.1:${LISTEN##*:}/ (from the Vagrant host: port 8080)"
