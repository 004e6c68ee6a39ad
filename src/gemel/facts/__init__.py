"""The twin of `areas`: what a person looks at. Read-only views, each a pure function of what the daemons said.

Law: pure, imports only the ground floor. What came over a door is handed in as JSON values.
"""
