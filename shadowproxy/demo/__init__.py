"""The demo: real scikit-learn models in processes of their own, real traffic, the proxy, the report."""
