"""The configurations of the project, which ``--config`` takes by name.

The file of each is the place to edit it, and the module to read about it. A file
elsewhere may begin with one of them:

    from jaxsoftras import config

    def get_config() -> config.Config:
        return config.load("real13", ["optim.steps=500", "model.encoder=resnet"])
"""
