print("migrations are done")
