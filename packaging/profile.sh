# An interactive bash shows the node's name and role before its own prompt. The agent keeps them in /run/gemel/prompt;
# where there is no node there is no file, and the prompt is what it was. Sourced by /etc/profile, so by other shells too.
if [ -n "${BASH_VERSION-}" ] && [ -n "${PS1-}" ]; then
    __gemel_prompt() {
        __gemel_status=$?
        __gemel_role=
        if [ -r /run/gemel/prompt ]; then
            read -r __gemel_role </run/gemel/prompt || :
        fi
        __gemel_role=${__gemel_role:+[$__gemel_role] }
        # ~/.bashrc may set a prompt of its own later on: seen here, before each prompt.
        case $PS1 in
            *'${__gemel_role}'*) ;;
            *) PS1='${__gemel_role}'$PS1 ;;
        esac
        return "$__gemel_status"
    }
    case ";${PROMPT_COMMAND-};" in
        *';__gemel_prompt;'*) ;;
        *) PROMPT_COMMAND="__gemel_prompt${PROMPT_COMMAND:+;$PROMPT_COMMAND}" ;;
    esac
fi
