"""Emergency stops: from one moment on nothing new begins, of a scope, a tenant or everybody."""
