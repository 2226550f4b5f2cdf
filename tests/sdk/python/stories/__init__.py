"""One file per story: `define` makes its functions of plain ones, `define_async` of coroutines."""
