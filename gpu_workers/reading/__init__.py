"""Reading: what is written on products, found and recognised by PP-OCR, and codes by zxing-cpp."""
