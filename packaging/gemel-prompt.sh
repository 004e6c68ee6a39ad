# The prompt of a login shell names the node and its role at this moment: fw1 MASTER /etc#
if [ -n "${BASH_VERSION-}" ] && [ -n "${PS1-}" ]; then
    _gemel_role() {
        local role
        read -r role 2>/dev/null </run/gemel/role && printf ' %s' "$role"
    }
    PS1='\h$(_gemel_role) \w\$ '
fi
