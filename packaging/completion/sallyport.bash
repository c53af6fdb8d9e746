# Completion of sallyport for bash; printed by 'sallyport print completion bash'.

# Names that the settings file gives. They are data: nothing in them is expanded.
_sallyport_names() {
    local name
    while IFS= read -r name; do
        [[ $name == "$cur"* ]] && COMPREPLY+=("$name")
    done < <("${COMP_WORDS[0]/#\~/$HOME}" names "$@" 2>/dev/null)
}

_sallyport() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local command='' takes='' options='' names='' kind='' word i
    local words=() config=()
    COMPREPLY=()
    # '--as=yaml' comes as three words.
    if [[ $cur == '=' ]]; then
        cur=''
    elif [[ $prev == '=' ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ -n $command && " $takes " == *" $word "* ]]; then
            ((i++))
            [[ ${COMP_WORDS[i]} == '=' ]] && ((i++))
            [[ $word == -c || $word == --config ]] && config=(--config "${COMP_WORDS[i]}")
        elif [[ $word != -* && -n $command ]]; then
            words+=("$word")
        elif [[ $word != -* ]]; then
            command=$word
            case $command in
            run)
                takes='-c --config'
                options='--config --help' ;;
            proxy)
                takes='--from --to --control'
                options='--from --tls --to --access-log --control --help' ;;
            traefik)
                takes=''
                options='--help' ;;
            check)
                takes='-c --config'
                options='--config --json --quiet --help' ;;
            reload)
                takes='-c --config --control'
                options='--config --control --json --quiet --help' ;;
            stop)
                takes='-c --config --control'
                options='--config --control --now --quiet --help' ;;
            upgrade)
                takes='-c --config --control'
                options='--config --control --json --quiet --help' ;;
            status)
                takes='-c --config --control'
                options='--config --control --all --json --help' ;;
            top)
                takes='-c --config --control'
                options='--config --control --once --json --help' ;;
            errors)
                takes='-c --config --control --kind --search'
                options='--config --control --kind --search --json --help' ;;
            api)
                takes='-c --config --control'
                options='--config --control --help' ;;
            explain)
                takes='-c --config --control -X --method -H --header --from --entrypoint'
                options='--config --running --control --method --header --from --entrypoint --help' ;;
            cert)
                takes='-c --config --control --issuer --key-type --challenge --reason --to --state --http-port --https-port'
                options='--config --control --quiet --json --force --dry-run --issuer --key-type --challenge --reason --yes --bundle --to --state --http-port --https-port --help' ;;
            account)
                takes='-c --config --control'
                options='--config --control --quiet --json --yes --help' ;;
            ban)
                takes='-c --config --control --for --reason'
                options='--config --control --quiet --for --reason --json --help' ;;
            pin)
                takes='-c --config --control'
                options='--config --control --quiet --json --help' ;;
            server)
                takes='--service -c --config --control'
                options='--service --config --control --quiet --json --help' ;;
            trust)
                takes='--state --folder --command'
                options='--state --install --remove --folder --command --quiet --help' ;;
            doctor)
                takes='-c --config --control --to --http-port --https-port --authority'
                options='--config --control --quiet --to --http-port --https-port --authority --json --help' ;;
            print)
                takes='-c --config --as'
                options='--config --as --help' ;;
            import)
                takes='-o --output'
                options='--output --force --quiet --help' ;;
            whoami)
                takes='-l --listen -n --name'
                options='--listen --name --help' ;;
            hash-password)
                takes='-u --user -m --method'
                options='--user --method --compose --help' ;;
            version)
                takes=''
                options='--json --help' ;;
            help)
                takes=''
                options='--help' ;;
            esac
        fi
    done
    local commands='run proxy traefik check reload stop upgrade status top errors api explain cert account ban pin server trust doctor print import whoami hash-password version help'
    case "$command $prev" in
    'run --config' | 'run -c') kind=file ;;
    'proxy --from') kind=text ;;
    'proxy --to') kind=text ;;
    'proxy --control') kind=file ;;
    'check --config' | 'check -c') kind=file ;;
    'reload --config' | 'reload -c') kind=file ;;
    'reload --control') kind=file ;;
    'stop --config' | 'stop -c') kind=file ;;
    'stop --control') kind=file ;;
    'upgrade --config' | 'upgrade -c') kind=file ;;
    'upgrade --control') kind=file ;;
    'status --config' | 'status -c') kind=file ;;
    'status --control') kind=file ;;
    'top --config' | 'top -c') kind=file ;;
    'top --control') kind=file ;;
    'errors --config' | 'errors -c') kind=file ;;
    'errors --control') kind=file ;;
    'errors --kind') kind=names names='refused failed' ;;
    'errors --search') kind=text ;;
    'api --config' | 'api -c') kind=file ;;
    'api --control') kind=file ;;
    'explain --config' | 'explain -c') kind=file ;;
    'explain --control') kind=file ;;
    'explain --method' | 'explain -X') kind=names names='GET HEAD POST PUT PATCH DELETE OPTIONS' ;;
    'explain --header' | 'explain -H') kind=text ;;
    'explain --from') kind=text ;;
    'explain --entrypoint') kind=entrypoints ;;
    'cert --config' | 'cert -c') kind=file ;;
    'cert --control') kind=file ;;
    'cert --issuer') kind=text ;;
    'cert --key-type') kind=names names='p-256 p-384 rsa-2048 rsa-3072 rsa-4096' ;;
    'cert --challenge') kind=names names='http-01 tls-alpn-01 dns-01' ;;
    'cert --reason') kind=names names='unspecified key-compromise affiliation-changed superseded cessation-of-operation' ;;
    'cert --to') kind=file ;;
    'cert --state') kind=file ;;
    'cert --http-port') kind=text ;;
    'cert --https-port') kind=text ;;
    'account --config' | 'account -c') kind=file ;;
    'account --control') kind=file ;;
    'ban --config' | 'ban -c') kind=file ;;
    'ban --control') kind=file ;;
    'ban --for') kind=text ;;
    'ban --reason') kind=text ;;
    'pin --config' | 'pin -c') kind=file ;;
    'pin --control') kind=file ;;
    'server --service') kind=text ;;
    'server --config' | 'server -c') kind=file ;;
    'server --control') kind=file ;;
    'trust --state') kind=file ;;
    'trust --folder') kind=file ;;
    'trust --command') kind=text ;;
    'doctor --config' | 'doctor -c') kind=file ;;
    'doctor --control') kind=file ;;
    'doctor --to') kind=text ;;
    'doctor --http-port') kind=text ;;
    'doctor --https-port') kind=text ;;
    'doctor --authority') kind=file ;;
    'print --config' | 'print -c') kind=file ;;
    'print --as') kind=names names='markdown json-schema yaml' ;;
    'import --output' | 'import -o') kind=file ;;
    'whoami --listen' | 'whoami -l') kind=text ;;
    'whoami --name' | 'whoami -n') kind=text ;;
    'hash-password --user' | 'hash-password -u') kind=text ;;
    'hash-password --method' | 'hash-password -m') kind=names names='bcrypt yescrypt sha512' ;;
    *)
        if [[ -z $command ]]; then
            kind=names names="$commands --help --version"
        elif [[ $cur == -* ]]; then
            kind=names names=$options
        fi ;;
    esac
    [[ -n $kind ]] || case "$command ${#words[@]} ${words[0]}" in
        'upgrade 0 ') kind=file ;;
        'errors 0 ') kind=text ;;
        'api 0 ') kind=text ;;
        'explain 0 ') kind=sites ;;
        'cert '1' show') kind=sites ;;
        'cert '*' request') kind=sites ;;
        'cert '1' renew') kind=sites ;;
        'cert '1' revoke') kind=sites ;;
        'cert '1' forget') kind=sites ;;
        'cert '1' export') kind=sites ;;
        'cert '1' import') kind=file ;;
        'cert '*' doctor') kind=sites ;;
        'cert 0 ') kind=names names='list show request renew revoke forget export import doctor' ;;
        'account '1' show') kind=text ;;
        'account '1' roll-over') kind=text ;;
        'account '1' deactivate') kind=text ;;
        'account 0 ') kind=names names='show roll-over deactivate' ;;
        'ban '1' add') kind=text ;;
        'ban '1' remove') kind=text ;;
        'ban 0 ') kind=names names='list add remove' ;;
        'pin '1' forget') kind=text ;;
        'pin 0 ') kind=names names='list forget' ;;
        'server '1' drain') kind=text ;;
        'server '1' undrain') kind=text ;;
        'server 0 ') kind=names names='list drain undrain' ;;
        'doctor '1' tls') kind=sites ;;
        'doctor 0 ') kind=names names='tls ports' ;;
        'print '1' man') kind=names names='commands settings' ;;
        'print '1' completion') kind=names names='bash zsh' ;;
        'print 0 ') kind=names names='settings config commands access-log-fields refusals ends metrics api man completion' ;;
        'import '1' caddy') kind=file ;;
        'import '1' haproxy') kind=file ;;
        'import '1' nginx') kind=file ;;
        'import 0 ') kind=names names='caddy haproxy nginx' ;;
        'help 0 ') kind=names names=$commands ;;
    esac
    case $kind in
    file)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
    entrypoints | sites) _sallyport_names "$kind" "${config[@]}" ;;
    names) mapfile -t COMPREPLY < <(compgen -W "$names" -- "$cur") ;;
    esac
}
complete -F _sallyport sallyport
