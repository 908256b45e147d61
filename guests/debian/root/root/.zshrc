# The terminal is a serial line that may be shared: send it what is needed and nothing more.
bindkey -e
unset zle_bracketed_paste
unsetopt prompt_cr prompt_sp
PROMPT='%n@%m:%~%# '
