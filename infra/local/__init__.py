"""The local cloud behind ``make dev``: an emulator of AWS, an HTTP front and the pumps that Lambda would be.

A supervisor process owns two others: the emulator (ministack, in a session of its own so that Ctrl-C does not
end it under our drain) and the server, which is started again whenever the code changes.
"""
