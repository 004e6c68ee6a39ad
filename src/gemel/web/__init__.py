"""The face on the network: TLS, log-in, pages, and the carrying of the peer's calls. Runs unprivileged, in webd alone.

Law: it decides nothing. Whatever changes or shows something is a question to the agent, which checks the right to it
again; what comes in is bounded before it is read. No `effects`.
"""
