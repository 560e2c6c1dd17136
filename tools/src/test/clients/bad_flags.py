def run(suite, processes): pass
